"""Popularity across shoppers: the table, the discount, and the cap that prices hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.price_fit import fit_prices
from pipeline.candidates import Candidates, unscored
from recall.popularity import CAPS, NAME, NO_PRICES, Popularity, PopularityTableSettings, Prices
from router.rerank.popularity import HEAD_CAP, NOVELTY, HeadCapSettings, NoveltySettings
from router.scenes.components import tables_of
from router.scenes.load import KnownNames, read_scenes
from router.tables.component import Parts
from router.tables.popularity import POPULARITY
from snapshot.manifest import SnapshotError
from tests.recall.small_shop import DAY, NOW, make_catalogue, make_query, make_source

QUERY = make_query([(1, 2, NOW)])
SIZE = 30


def page(items: list[int], scores: list[float]) -> Candidates:
    count = len(items)
    found = unscored(
        np.array(items, np.int32),
        np.ones(count, np.uint32),
        np.ones(count, np.float32),
        np.zeros(count, np.int32),
    )
    return found.with_score(np.array(scores, np.float32))


def parts(share: list[float] | None = None, prices: Prices = NO_PRICES, head: int = 2) -> Parts:
    column = np.array(share or [0.0] * (SIZE + 1), np.float32)
    return Parts(None, {NAME: Popularity(column, prices, head)})  # type: ignore[arg-type]


def test_the_table_counts_each_shopper_of_the_window_once(tmp_path: Path) -> None:
    catalogue = make_catalogue(tmp_path, [1] * 4)
    log = [
        (1, 1, 5, NOW - 3),
        (1, 1, 5, NOW - 2),
        (2, 1, 2, NOW - 9),
        (2, 3, 2, NOW - DAY),
        (3, 4, 5, NOW - 3 * DAY),
    ]
    settings = PopularityTableSettings(window_days=2)
    assert POPULARITY.build(make_source(catalogue, log), tmp_path, settings) == {"share": 2, "prices": 0}
    opened = POPULARITY.open(tmp_path, catalogue, settings)
    assert opened.share.tolist() == [0, 1, 0, 0.5, 0]
    assert opened.prices.under(0.05).of(np.array([1, 3], np.int32)).tolist() == [0, 0]


def test_prices_that_were_fitted_travel_with_the_table(tmp_path: Path) -> None:
    catalogue = make_catalogue(tmp_path, [1] * 4)
    fitted, built = tmp_path / "fitted", tmp_path / "built"
    fitted.mkdir()
    built.mkdir()
    Prices(np.array([2], np.int32), np.linspace(0.1, 0.8, len(CAPS), dtype=np.float32)[None]).write(fitted)
    source = replace(make_source(catalogue, [(1, 1, 5, NOW)]), fitted={NAME: fitted})
    POPULARITY.build(source, built, PopularityTableSettings())
    prices = POPULARITY.open(built, catalogue, PopularityTableSettings()).prices
    items = np.array([1, 2, 4], np.int32)
    assert prices.under(CAPS[0]).of(items).tolist() == pytest.approx([0, 0.1, 0])
    assert prices.under(CAPS[-1]).of(items).tolist() == pytest.approx([0, 0.8, 0])
    assert 0.2 < prices.under(0.17).of(items)[1] < 0.4
    assert prices.under(1).of(items).tolist() == [0, 0, 0]
    Prices(np.array([9], np.int32), np.ones((1, len(CAPS)), np.float32)).write(fitted)
    with pytest.raises(SnapshotError, match="catalogue lacks"):
        POPULARITY.build(source, built, PopularityTableSettings())


def test_a_popular_item_has_to_be_better(tmp_path: Path) -> None:
    share = [0.0, 0.5, 0.05, 0.01] + [0.0] * (SIZE - 3)
    found = page([1, 2, 3, 4], [0.6, 0.55, 0.5, float("nan")])
    ordered = NOVELTY.create(parts(share), NoveltySettings(strength=0.1)).order(QUERY, found, 4)
    # Ten times the floor is 2.3 e-folds: log-odds .405 − .23 against .201.
    assert found.items[ordered].tolist() == [2, 1, 3, 4]
    # What another reranker moved to the end stays there.
    behind = page([2, 3, 4, 1], [0.55, 0.5, 0.1, 0.6])
    ordered = NOVELTY.create(parts(share), NoveltySettings(strength=0.1)).order(QUERY, behind, 4)
    assert behind.items[ordered].tolist() == [2, 3, 4, 1]
    nothing = NOVELTY.create(parts(share), NoveltySettings(strength=0.0)).order(QUERY, found, 4)
    assert nothing.tolist() == [0, 1, 2, 3]


def pages_of(seed: int, count: int = 400) -> list[Candidates]:
    """Pages on which item 1, and less often item 2, is best for most shoppers."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        odds = random.normal(size=SIZE)
        odds[:2] += (3, 2)
        order = np.argsort(-odds)[:20]
        found.append(page((order + 1).tolist(), (1 / (1 + np.exp(-odds[order]))).tolist()))
    return found


def heads(pages: list[Candidates], most: float, prices: Prices) -> np.ndarray:
    cap = HEAD_CAP.create(parts(prices=prices), HeadCapSettings(most=most))
    shown = np.concatenate([each.items[cap.order(QUERY, each, 10)][:2] for each in pages])
    return np.bincount(shown, minlength=SIZE + 1) / len(pages)


@pytest.mark.parametrize("most", [0.5, 0.2, 0.1])
def test_the_fitted_prices_hold_the_cap_on_other_pages_too_for_whom_it_matters_least(most: float) -> None:
    pages = pages_of(1)
    prices = fit_prices(pages, 2)
    assert heads(pages, 1, prices).max() > 0.8
    assert heads(pages, most, prices).max() <= most * 1.05
    assert heads(pages_of(2), most, prices).max() <= most + 3 * (most * (1 - most) / 400) ** 0.5
    # The shoppers who keep item 1 are those to whom it is worth most beside what would take its place.
    cap = HEAD_CAP.create(parts(prices=prices), HeadCapSettings(most=most))
    kept, lost = [], []
    for each in pages:
        had = bool((each.items[:2] == 1).any())
        keeps = bool((each.items[cap.order(QUERY, each, 10)][:2] == 1).any())
        lead = np.log(each.score / (1 - each.score))
        if had:
            (kept if keeps else lost).append(lead[each.items == 1][0] - np.sort(lead)[-3])
    assert np.mean(kept) > np.mean(lost) + 0.8
    assert min(kept) > np.median(lost)


def test_a_cap_that_costs_too_much_is_loosened_to_the_strictest_that_does_not() -> None:
    pages = pages_of(1)

    def expected(most: float, prices: Prices) -> float:
        cap = HEAD_CAP.create(parts(prices=prices), HeadCapSettings(most=most))
        return float(sum(each.score[cap.order(QUERY, each, 10)][:2].sum() for each in pages))

    free = fit_prices(pages, 2)
    lost = [1 - expected(most, free) / expected(1, free) for most in CAPS]
    assert lost[0] < lost[2] < lost[3]
    prices = fit_prices(pages, 2, (lost[2] + lost[3]) / 2)
    items = np.arange(1, SIZE + 1, dtype=np.int32)
    for most in CAPS:
        assert prices.under(most).of(items).tolist() == free.under(max(most, CAPS[2])).of(items).tolist()
    assert expected(CAPS[-1], prices) == expected(CAPS[2], free)
    assert fit_prices(pages, 2, lost[0] / 2).items.size == 0


@given(st.permutations(list(range(1, 13))), st.integers(1, 12))
def test_the_cap_changes_no_page_without_scores_and_loses_no_item(items: list[int], size: int) -> None:
    prices = Prices(np.array([1, 2, 3], np.int32), np.full((3, len(CAPS)), 5, np.float32))
    cap = HEAD_CAP.create(parts(prices=prices), HeadCapSettings(most=0.1))
    without = page(items, [float("nan")] * 12)
    assert cap.order(QUERY, without, size).tolist() == list(range(12))
    equal = page(items, [0.4] * 12)
    assert cap.order(QUERY, equal, size).tolist() == list(range(12))
    share = [0.01 * item for item in range(SIZE + 1)]
    novelty = NOVELTY.create(parts(share), NoveltySettings(strength=1.0))
    for alike in (equal, without):
        assert novelty.order(QUERY, alike, size).tolist() == list(range(12))
    for stage in (cap, novelty):
        popular_first = page(items, np.linspace(0.9, 0.1, 12).tolist())
        assert stage.order(make_query(), popular_first, size).tolist() == list(range(12))
    scored = page(items, np.linspace(0.9, 0.1, 12).tolist())
    order = cap.order(QUERY, scored, size)
    assert sorted(order.tolist()) == list(range(12))
    head = scored.items[order[: min(2, size)]]
    assert not np.isin(head, [1, 2, 3]).any()


def test_no_pages_or_none_with_scores_give_no_prices() -> None:
    assert fit_prices([], 4).items.size == 0
    assert fit_prices([page([1, 2], [float("nan")] * 2)], 4).items.size == 0


def test_a_scene_that_caps_needs_the_table_and_what_its_prices_are_fitted_with() -> None:
    scenes = b"scenes: {home: {rerank: {head_cap: {}}}, other: {rerank: {novelty: {}}}}"
    read = read_scenes(scenes, "scenes.yaml", KnownNames(["hot"]))
    assert set(tables_of([read["home"]])) == {NAME, "logistic_ranker"}
    assert set(tables_of([read["other"]])) == {NAME}
