"""Templates and fatigue: which candidates move, by what was seen in which visit; and the strict filter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from pipeline.candidates import Candidates, unscored
from recall.query import Query
from router.filters.exposed import FILTER as EXPOSED
from router.filters.exposed import ExposedSettings
from router.query_features.impressions import Impressions
from router.query_features.seen import Seen
from router.rerank.templates import FATIGUE, TEMPLATES, FatigueSettings, TemplatesSettings
from router.tables.component import Parts
from state.user_state import scene_tag
from tests.recall.small_shop import NOW, make_query

MINUTE, HOUR = 60, 3_600
PARTS = Parts(None, {})  # type: ignore[arg-type]
Sight = tuple[int, int, str]


def candidates(count: int = 12) -> Candidates:
    return unscored(
        np.arange(1, count + 1, dtype=np.int32),
        np.ones(count, np.uint32),
        np.ones(count, np.float32),
        np.zeros(count, np.int32),
    )


def query(sights: Sequence[Sight], acts: Sequence[tuple[int, int]] = (), served: Sequence[int] = ()) -> Query:
    """A query at NOW; (item, seconds before, scene) seen, and (item, seconds before) viewed, newest first."""
    seen = Seen(
        np.array([item for item, _, _ in sights], np.int32),
        np.array([scene_tag(scene) for _, _, scene in sights], np.uint32),
        np.array([NOW - age for _, age, _ in sights], np.int64),
    )
    shown = Impressions(np.array(served, np.int32), np.full(len(served), NOW - 5, np.int64))
    made = make_query([(item, 2, NOW - age) for item, age in acts])
    return replace(made, features={"seen": seen, "impressions": shown})


def page(asked: Query, size: int = 3, **settings: object) -> list[int]:
    stage = TEMPLATES.create(PARTS, TemplatesSettings(**settings))
    found = candidates()
    return found.items[stage.order(asked, found, size)][:size].tolist()


def sights(items: Sequence[int], age: int, scene: str = "home") -> list[Sight]:
    return [(item, age, scene) for item in items]


def test_each_visit_sees_the_template_behind_the_last_one_seen() -> None:
    first, second = sights([1, 2, 3], 3 * HOUR), sights([4, 5, 6], 2 * HOUR)
    assert page(query([])) == [1, 2, 3]
    assert page(query(first)) == [4, 5, 6]
    assert page(query(second + first)) == [7, 8, 9]
    # The third was the last: the first comes again.
    assert page(query(sights([7, 8, 9], HOUR) + second + first)) == [1, 2, 3]


def test_the_page_stays_within_a_visit_whatever_was_seen_of_it() -> None:
    earlier = sights([1, 2, 3], 2 * HOUR)
    assert page(query(sights([4], 10) + earlier)) == [4, 5, 6]
    # The visit goes on, without a pause of thirty minutes, for an hour.
    long_visit = [(4, minutes * MINUTE, "home") for minutes in (20, 40, 60)]
    assert page(query([*long_visit, *earlier])) == [4, 5, 6]
    # What was looked at elsewhere keeps the visit going too.
    assert page(query([(9, 10 * MINUTE, "cart"), (4, 35 * MINUTE, "home"), *earlier])) == [4, 5, 6]
    assert page(query([(4, 35 * MINUTE, "home"), *earlier])) == [5, 6, 7]


def test_other_scenes_do_not_use_templates_up_and_half_a_page_seen_is_half_used() -> None:
    assert page(query(sights([1, 2], HOUR, "cart"))) == [1, 2, 3]
    assert page(query(sights([1, 2], HOUR))) == [3, 4, 5]


def test_new_behaviour_starts_the_templates_afresh() -> None:
    seen = sights([1, 2, 3], 2 * HOUR)
    assert page(query(seen, acts=[(40, HOUR)])) == [1, 2, 3]
    assert page(query(seen, acts=[(40, 3 * HOUR)])) == [4, 5, 6]
    after = sights([1, 2, 3], 40 * MINUTE)
    assert page(query(after + seen, acts=[(40, HOUR)])) == [4, 5, 6]


def test_some_of_the_slots_turn() -> None:
    seen = sights([1, 2, 3, 4], HOUR)
    assert page(query(seen), size=4, fixed=2) == [1, 2, 5, 6]
    assert page(query(sights([1, 2, 5, 6], HOUR) + sights([1, 2, 3, 4], 2 * HOUR)), size=4, fixed=2) == [
        1,
        2,
        7,
        8,
    ]


def test_no_candidate_is_lost_where_all_were_seen() -> None:
    assert page(query(sights(range(1, 13), HOUR)), size=12) == list(range(1, 13))
    assert page(query(sights([1, 2], HOUR)), count=1) == [1, 2, 3]


def test_what_was_seen_is_out_of_reach_of_later_rerankers_where_the_rest_fills_the_page() -> None:
    stage, asked = TEMPLATES.create(PARTS, TemplatesSettings()), query(sights([1, 2, 3], HOUR))
    assert stage.order(asked, candidates(), 9).tolist() == list(range(3, 12))
    assert stage.order(asked, candidates(), 10).tolist() == [*range(3, 12), 0, 1, 2]


def sunk(asked: Query, **settings: object) -> list[int]:
    stage = FATIGUE.create(PARTS, FatigueSettings(**settings))
    found = candidates(8)
    return found.items[stage.order(asked, found, 3)].tolist()


def test_what_many_visits_saw_in_vain_sinks_by_so_many_slots() -> None:
    visits = [sight for hours in range(1, 5) for sight in sights([1, 2], hours * HOUR, f"s{hours}")]
    assert sunk(query(visits), free=4) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert sunk(query(visits), free=3, slots=2) == [3, 1, 4, 2, 5, 6, 7, 8]
    # Several sights in one visit are one.
    assert sunk(query(sights([1] * 9, HOUR)), free=1) == [1, 2, 3, 4, 5, 6, 7, 8]
    # The shopper opened item 1 half an hour before the newest sight of it: three of the four are forgotten.
    assert sunk(query(visits, acts=[(1, 90 * MINUTE)]), free=1, slots=1) == [1, 3, 4, 5, 2, 6, 7, 8]
    assert sunk(query(visits), free=3, slots=2, days=3 / 24) == [1, 2, 3, 4, 5, 6, 7, 8]
    # Nothing was seen, or all of it too long ago.
    assert sunk(query([]), free=0) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert sunk(query(visits), free=0, days=1 / 48) == [1, 2, 3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({}, [3, 4]),
        ({"times": 2}, [2, 3, 4]),
        ({"hours": 0.5}, [2, 3, 4]),
        ({"counts": "served"}, [1, 2, 4]),
    ],
)
def test_the_strict_filter_hides_what_was_seen_or_served(
    settings: dict[str, object], kept: list[int]
) -> None:
    asked = query([(1, 9, "home"), (1, 10, "cart"), (2, HOUR, "home")], served=[3])
    found = candidates(4)
    stage = EXPOSED.create(PARTS, ExposedSettings(**settings))
    assert found.items[stage.keep(asked, found)].tolist() == kept
