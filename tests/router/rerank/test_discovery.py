"""Slots for items never taken: which items are new and good enough, and the share beside scatter."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.candidates import Candidates, unscored
from pipeline.scatter_order import scatter
from pipeline.share_order import with_share
from recall.query import Query
from router.rerank.discovery import DiscoverySettings, create
from router.rerank.registry import RERANKERS
from router.rerank.scatter import ScatterRule, ScatterSettings
from router.rerank.scatter import create as create_scatter
from router.scenes.load import KnownNames, read_scenes
from router.scenes.problems import SettingsError
from router.tables.component import Parts

SHARES = st.sampled_from([0.0, 0.05, 0.1, 0.25, 0.29, 1 / 3, 0.5, 0.7, 1.0])
# Items 1 to 40 in categories 1 to 5; item 40 has none.
CATEGORY = np.array([0, *(1 + item % 5 for item in range(1, 40)), 0], np.int32)
BRAND = np.zeros(41, np.int32)
CATALOGUE = SimpleNamespace(category=CATEGORY, brand=BRAND)


def candidates(items: list[int], scores: list[float] | None = None) -> Candidates:
    count = len(items)
    found = unscored(
        np.array(items, np.int32),
        np.ones(count, np.uint32),
        np.ones(count, np.float32),
        np.zeros(count, np.int32),
    )
    return found if scores is None else found.with_score(np.array(scores, np.float32))


def shopper(viewed: Sequence[int] = (), bought: Sequence[int] = (), event: int = 2) -> Query:
    return Query(
        scene="home",
        now=1_000,
        history_items=np.array(viewed, np.int32),
        history_events=np.full(len(viewed), event, np.uint8),
        history_ts=np.full(len(viewed), 900, np.int64),
        purchased_items=np.array(bought, np.int32),
        purchased_ts=np.full(len(bought), 100, np.int64),
    )


def page(query: Query, found: Candidates, size: int = 10, **settings: object) -> list[int]:
    tested = create(Parts(CATALOGUE, {}), DiscoverySettings(**settings))
    return found.items[tested.order(query, found, size)][:size].tolist()


def test_viewed_and_bought_items_are_not_new_and_impressions_are() -> None:
    found = candidates([1, 2, 3, 4])
    assert page(shopper([1, 2], [3]), found, 2, share=0.5) == [1, 4]
    assert page(shopper([1], [3], event=1), found, 4, share=0.5) == [1, 2, 3, 4]
    assert page(shopper([], [1, 2, 3]), found, 2, share=0.5) == [1, 4]


@given(st.permutations(list(range(1, 41))), SHARES, st.sampled_from(["any", "known", "new"]))
def test_the_page_of_an_anonymous_shopper_is_unchanged(
    items: list[int], share: float, categories: str
) -> None:
    assert page(shopper(), candidates(items), 20, share=share, categories=categories) == items[:20]


def test_categories_choose_among_the_new_items() -> None:
    # Items 5 and 10 are of category 1, item 6 of category 2, item 40 of none.
    found = candidates([5, 15, 40, 6, 10])
    assert page(shopper([5, 15]), found, 2, share=0.5, apart=0) == [5, 40]
    assert page(shopper([5, 15]), found, 2, share=0.5, apart=0, categories="known") == [5, 10]
    assert page(shopper([5, 15]), found, 2, share=0.5, apart=0, categories="new") == [5, 6]


def test_an_item_below_the_minimum_is_given_no_slot_but_keeps_its_own() -> None:
    found = candidates([1, 2, 3, 4, 5], [0.8, 0.7, 0.6, 0.2, 0.1])
    query = shopper([1, 2, 3])
    assert page(query, found, 4, share=0.5, minimum_score=0.25) == [1, 4, 2, 3]
    assert page(query, found, 4, share=0.5, minimum_score=0.26) == [1, 2, 3, 4]
    assert page(query, found, 4, share=0.5, minimum_score=0.1) == [1, 4, 2, 5]


def test_without_scores_only_a_share_without_a_minimum_gives_slots() -> None:
    query = shopper([1, 2, 3])
    assert page(query, candidates([1, 2, 3, 4]), 3, share=0.5) == [1, 4, 2]
    assert page(query, candidates([1, 2, 3, 4]), 3, share=0.5, minimum_score=0.1) == [1, 2, 3]
    partly = candidates([1, 2, 3, 4, 5], [0.5, 0.4, 0.3, float("nan"), 0.2])
    assert page(query, partly, 3, share=0.5, minimum_score=0.1) == [1, 5, 2]


def test_a_window_limits_it_to_the_first_slots() -> None:
    found = candidates([1, 2, 3, 4, 5, 6, 7])
    assert page(shopper([1, 2, 3, 4]), found, 5, share=0.5) == [1, 5, 2, 6, 3]
    assert page(shopper([1, 2, 3, 4]), found, 5, share=0.5, window=2) == [1, 5, 2, 3, 4]


def test_nothing_is_nothing() -> None:
    assert page(shopper([1]), candidates([])) == []


@given(st.permutations(list(range(1, 41))), st.sets(st.integers(1, 40), min_size=1), st.integers(1, 30))
def test_after_scatter_the_share_holds_and_apart_keeps_its_rule(
    items: list[int], taken: set[int], size: int
) -> None:
    """Before scatter it is a wish only: scatter may move the item off the page."""
    found = candidates(items)
    rules = ScatterSettings(rules=[ScatterRule(by="category", window=4, max=2)])
    columns = SimpleNamespace(column={"category": CATEGORY}.__getitem__)
    scattered = found.take(create_scatter(Parts(columns, {}), rules).order(None, found, size))
    new = sum(item not in taken for item in items)
    shown = page(shopper(sorted(taken)), scattered, size, share=0.25)
    assert sum(item not in taken for item in shown) >= min(size // 4, new)


def test_a_discovery_set_between_others_breaks_no_rule_of_scatter() -> None:
    category = np.array([1, 1, 2, 2, 1, 1, 2, 2, 1, 2, 3], np.int32)
    counted = np.isin(np.arange(11), (8, 9, 10))
    order = scatter([category], [(4, 2)], 11, 8)
    given_category, given_counted = category[order], counted[order]
    close = with_share(given_counted, given_counted, [given_category], 8, 0.25, 0)
    kept = with_share(given_counted, given_counted, [given_category], 8, 0.25, 3)
    assert _most_of_one(given_category[close[:5]]) == 3
    assert _most_of_one(given_category[kept[:5]]) == 2


def _most_of_one(categories: np.ndarray) -> int:
    windows = [categories[at : at + 4] for at in range(len(categories) - 3)]
    return max(int(np.bincount(window).max()) for window in windows)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("{share: 1.5}", "scenes.home.rerank.discovery.share: should be less than or equal to 1, got 1.5"),
        ("{share: yes}", "scenes.home.rerank.discovery.share: should be a valid number, got True"),
        ("{window: 0}", "scenes.home.rerank.discovery.window: should be greater than or equal to 1, got 0"),
        ("{categories: all}", "scenes.home.rerank.discovery.categories: should be 'any', 'known' or 'new'"),
        ("{minimum_score: -1}", "scenes.home.rerank.discovery.minimum_score: should be greater than"),
        ("{apart: 21}", "scenes.home.rerank.discovery.apart: should be less than or equal to 20, got 21"),
        ("{shares: 0.1}", "scenes.home.rerank.discovery.shares: unknown key"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_key(settings: str, message: str) -> None:
    text = f"scenes: {{home: {{channels: {{hot: {{}}}}, rerank: {{discovery: {settings}}}}}}}"
    with pytest.raises(SettingsError) as refused:
        read_scenes(text.encode(), "scenes.yaml", KnownNames(("hot",)))
    assert message in str(refused.value)


def test_every_setting_is_described_and_the_reranker_is_registered() -> None:
    assert all(field.description for field in DiscoverySettings.model_fields.values())
    assert RERANKERS["discovery"].create is create
