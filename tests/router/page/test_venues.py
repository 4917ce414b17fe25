"""A scene of venues among others: what is shown elsewhere is made good from the same venue."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.candidates import unscored
from router.page.contract import RankedScene, check_arranged
from router.page.no_repeats import NoRepeats
from router.rerank.venues import Venues, VenuesSettings
from tests.router.ranking.queries import query

# Items 1 to 60 are of venues 1 to 5, every sixth of none.
COLUMN = np.array([0, *(item % 6 for item in range(1, 61))], np.int32)
HALLS = Venues(COLUMN, None, VenuesSettings(items=3, habit=0.0))


def scene(items: Sequence[int], page_size: int, structure: Venues | None = None) -> RankedScene:
    column = np.array(items, np.int32)
    count = column.size
    scores = np.linspace(0.9, 0.1, count).astype(np.float32)
    found = unscored(
        column, np.ones(count, np.uint32), np.zeros(count, np.float32), np.zeros(count, np.int32)
    )
    return RankedScene(query(), page_size, found.with_score(scores), structure)


def arrange(scenes: Sequence[RankedScene]) -> list[list[int]]:
    positions = asyncio.run(NoRepeats().arrange(scenes))
    check_arranged(scenes, positions)
    return [
        each.candidates.items[chosen][: each.page_size].tolist()
        for each, chosen in zip(scenes, positions, strict=True)
    ]


def test_a_venue_keeps_its_items_where_another_scene_shows_some() -> None:
    front, halls = scene([1, 7, 2], 3), scene([*range(1, 31)], 9, HALLS)
    first, second = arrange([front, halls])
    assert first == [1, 7, 2]
    assert [COLUMN[item] for item in second] == [3, 3, 3, 4, 4, 4, 5, 5, 5]
    assert not set(first) & set(second)


ITEMS = st.permutations(list(range(1, 61)))


@settings(max_examples=60, deadline=None)
@given(ITEMS, ITEMS, st.integers(1, 12), st.integers(1, 15), st.integers(0, 60))
def test_each_venue_is_in_one_run_and_no_slot_is_lost(
    before: list[int], halls: list[int], shown_before: int, page_size: int, there: int
) -> None:
    scenes = [scene(before, shown_before), scene(halls[:there], page_size, HALLS), scene(before, 5)]
    pages = arrange(scenes)
    page = pages[1]
    left = [item for item in halls[:there] if item not in pages[0]]
    assert len(page) == min(page_size, len(left))
    shown = [int(COLUMN[item]) for item in page]
    runs = [venue for place, venue in enumerate(shown) if not place or shown[place - 1] != venue]
    assert len(runs) == len(set(runs))
    assert 0 not in runs[:-1]
    for venue in runs:
        of_venue = [item for item in page if COLUMN[item] == venue]
        assert all(left.index(one) < left.index(other) for one, other in pairwise(of_venue))
    everything = [item for each in pages for item in each]
    assert len(everything) == len(set(everything))


def test_the_venue_that_the_shopper_comes_for_rises() -> None:
    found = scene([*range(1, 31)], 3).candidates
    history = np.array([4, 10, 16, 60, 3], np.int32)
    asked = replace(query(), history_items=history)
    for habit, first in ((0.0, 1), (1.0, 4)):
        stage = Venues(COLUMN, None, VenuesSettings(items=3, habit=habit))
        assert set(COLUMN[found.items[stage.order(asked, found, 3)][:3]].tolist()) == {first}


def test_categories_take_turns_within_a_venue() -> None:
    found = scene([1, 7, 13, 19, 2, 8, 14, 6], 6).candidates
    category = np.zeros(61, np.int32)
    category[[1, 7, 13, 2, 8]] = 5
    category[19] = 6
    stage = Venues(COLUMN, category, VenuesSettings(items=3, habit=0.0))
    # Of venue 1, item 19 is the only one of its category; item 14 of venue 2 has none.
    assert found.items[stage.order(query(), found, 6)][:6].tolist() == [1, 19, 7, 2, 14, 8]
