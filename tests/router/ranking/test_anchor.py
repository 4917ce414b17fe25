"""The order of a page about an item: what shares baskets with it first, bestsellers only to fill."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from pipeline.candidates import Candidates, unscored
from pipeline.stages import NO_MODEL
from recall.lists import ItemLists
from recall.query import Query
from router.ranking.anchor import LEAST_SCORE, MOST_PAIRS, AnchorScorer, AnchorSettings, open_scorer
from router.ranking.anchor_table import ANCHOR_PAIRS, AnchorTable, AnchorTableSettings
from router.ranking.scorer_kind import ScorerContext
from shopfront.workspace import DEFAULT_FILE
from snapshot import Catalogue
from tests.recall.small_shop import DAY, NOW, make_catalogue, make_source

PURCHASE = 5
MILK, TEA, CAKE, SAUSAGE, BREAD, PEN = range(1, 7)
CATEGORIES = (1, 1, 2, 3, 3, 4)
BASKETS = [(MILK, CAKE), (MILK, CAKE, BREAD), *[(BREAD, SAUSAGE)] * 5, (TEA, PEN)]
TWO, THREE = 1 / math.log2(3), 1 / math.log2(4)


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    return make_catalogue(tmp_path_factory.mktemp("shop"), CATEGORIES)


@pytest.fixture(scope="module")
def folder(catalogue: Catalogue, tmp_path_factory: pytest.TempPathFactory) -> Path:
    events = [
        (shopper, item, PURCHASE, NOW - DAY * shopper + item)
        for shopper, items in enumerate(BASKETS, start=1)
        for item in items
    ]
    folder = tmp_path_factory.mktemp("table")
    rows = ANCHOR_PAIRS.build(make_source(catalogue, events), folder, AnchorTableSettings())
    assert rows == {"pairs": 10, "category_pairs": 7, "baskets": 6}
    return folder


def scorer(catalogue: Catalogue, folder: Path, **settings: float) -> AnchorScorer:
    table = ANCHOR_PAIRS.open(folder, catalogue, AnchorTableSettings())
    context = ScorerContext(catalogue, {}, tables={ANCHOR_PAIRS.name: table})
    return open_scorer(context, AnchorSettings(**{"category_baskets": 0.0, **settings}))


def candidates(items: Sequence[int]) -> Candidates:
    count = len(items)
    zeros = np.zeros(count, np.int32)
    return unscored(np.array(items, np.int32), zeros.astype(np.uint32), zeros.astype(np.float32), zeros)


def query(anchors: Sequence[int], history: Sequence[int] = (), bought: Sequence[int] = ()) -> Query:
    return Query(
        scene="similar_items",
        now=NOW,
        history_items=np.array(history, np.int32),
        purchased_items=np.array(bought, np.int32),
    ).about(np.array(anchors, np.int32))


def scores(made: AnchorScorer, asked: Query, items: Sequence[int]) -> dict[int, float]:
    """The formula's; the column has them relative to the best."""
    columns = asyncio.run(made.score(asked, candidates(items)))
    assert list(columns) == ["score", "log_score"]
    assert all(column.dtype == np.float32 for column in columns.values())
    about = (asked.anchors, asked.anchor_weights)
    if not asked.anchors.size:
        about = (asked.triggers, asked.trigger_weights)
    found = made.scores(asked, np.array(items, np.int32), *about)
    assert columns["score"] == pytest.approx(found / max(found.max(initial=0), LEAST_SCORE), rel=1e-5)
    return dict(zip(items, found.tolist(), strict=True))


def test_scores_are_those_of_the_formula(catalogue: Catalogue, folder: Path) -> None:
    made = scorer(catalogue, folder, popularity_exponent=0.5, category_boost=1.0, own_weight=0.5, unseen=0.06)
    asked = query([MILK], history=[CAKE, CAKE, PEN], bought=[TEA, CAKE])
    found = scores(made, asked, [PEN, BREAD, TEA, CAKE])
    assert found == pytest.approx(
        {
            CAKE: (TWO + THREE + 0.06 * 2 / 6) / 12**0.5 * (1 + 0.5 * math.log(3)),
            BREAD: (THREE + 0.06) / 16**0.5,
            TEA: 0.06 / 6 / 11**0.5 * 2 * (1 + 0.5 * math.log(2)),
            PEN: 0.06 / 6 / 11**0.5 * (1 + 0.5 * math.log(2)),
        },
        rel=1e-5,
    )


def test_what_goes_with_the_category_counts_as_further_baskets(catalogue: Catalogue, folder: Path) -> None:
    """Tea was bought once, with a pen: milk, of its category, goes with cake."""
    plain = {"unseen": 0.0, "popularity_exponent": 0.0, "category_boost": 0.0}
    own = scores(scorer(catalogue, folder, **plain), query([TEA]), [PEN, CAKE, SAUSAGE])
    assert own == pytest.approx({PEN: TWO, CAKE: 0.0, SAUSAGE: 0.0})
    made = scorer(catalogue, folder, category_baskets=12.0, **plain)
    found = scores(made, query([TEA]), [PEN, CAKE, SAUSAGE])
    # Milk and tea are in 3 baskets, any item in 17; a pen shares one basket, cake two, with one item or two.
    held, every = 3, 17
    pen = TWO / held - TWO / every
    cake = (TWO + THREE) / held - (TWO + 2 * THREE) / every
    assert found == pytest.approx({PEN: TWO + 12 * pen, CAKE: 12 * cake, SAUSAGE: 0.0}, rel=1e-5)
    other = scores(made, query([SAUSAGE]), [CAKE])
    assert other == pytest.approx({CAKE: 0.0}), "nothing of sausages' category beyond what goes with any"


def test_what_goes_with_the_item_comes_before_the_best_sold(catalogue: Catalogue, folder: Path) -> None:
    found = scores(scorer(catalogue, folder), query([MILK]), [SAUSAGE, BREAD, CAKE, TEA])
    assert sorted(found, key=lambda item: -found[item])[:2] == [CAKE, BREAD]


def test_several_anchors_add_up(catalogue: Catalogue, folder: Path) -> None:
    plain = {"unseen": 0.0, "popularity_exponent": 0.0, "anchor_exponent": 0.0}
    made = scorer(catalogue, folder, category_boost=1.0, **plain)
    found = scores(made, query([MILK, SAUSAGE]), [BREAD, CAKE])
    assert found == pytest.approx({BREAD: (THREE + 5 * TWO) * 1.5, CAKE: TWO + THREE}, rel=1e-5)


def test_the_best_sold_anchor_says_less(catalogue: Catalogue, folder: Path) -> None:
    """Milk is in two baskets, sausages are in five: 12^-1 and 15^-1, whose mean is 3/40."""
    plain = {"unseen": 0.0, "popularity_exponent": 0.0, "category_boost": 0.0, "anchor_exponent": 1.0}
    made = scorer(catalogue, folder, **plain)
    expected = {BREAD: THREE * 40 / 36 + 5 * TWO * 40 / 45, CAKE: (TWO + THREE) * 40 / 36}
    assert scores(made, query([MILK, SAUSAGE]), [BREAD, CAKE]) == pytest.approx(expected, rel=1e-5)
    alone = query([MILK])
    assert scores(made, alone, [BREAD]) == scores(
        scorer(catalogue, folder, **plain | {"anchor_exponent": 0.0}), alone, [BREAD]
    )


def test_an_anchor_of_more_weight_says_more(catalogue: Catalogue, folder: Path) -> None:
    plain = {"unseen": 0.0, "popularity_exponent": 0.0, "category_boost": 0.0, "anchor_exponent": 0.0}
    made = scorer(catalogue, folder, **plain)
    weighed = query([]).about(np.array([MILK, SAUSAGE], np.int32), np.array([1, 3], np.float32))
    assert scores(made, weighed, [BREAD]) == pytest.approx({BREAD: THREE + 15 * TWO}, rel=1e-5)


@pytest.mark.parametrize(("boost", "order"), [(-1.0, [BREAD, CAKE, TEA]), (1e9, [TEA, CAKE, BREAD])])
def test_a_category_can_come_last_or_first(
    catalogue: Catalogue, folder: Path, boost: float, order: list[int]
) -> None:
    """Tea is of the category of milk and shares no basket with it; bread is sold most."""
    found = scores(scorer(catalogue, folder, category_boost=boost), query([MILK]), [CAKE, TEA, BREAD])
    assert found[order[0]] > found[order[2]]
    assert (found[TEA] == 0) == (boost == -1)


def test_complements_as_shipped_begin_with_another_category(catalogue: Catalogue, tmp_path: Path) -> None:
    baskets = [*[(MILK, TEA)] * 5, (MILK, CAKE)]
    events = [
        (shopper, item, PURCHASE, NOW - DAY * shopper + item)
        for shopper, items in enumerate(baskets, start=1)
        for item in items
    ]
    ANCHOR_PAIRS.build(make_source(catalogue, events), tmp_path, AnchorTableSettings())
    scenes = yaml.safe_load((DEFAULT_FILE.parent / "scenes.yaml").read_text())["scenes"]
    shipped = scenes["complements"]["ranking"]["scorers"]["anchor"]
    found = scores(
        scorer(catalogue, tmp_path, **shipped | {"category_baskets": 0.0}), query([MILK]), [TEA, CAKE]
    )
    assert found[CAKE] > found[TEA] > 0


def test_the_logarithm_has_a_mean_of_zero_and_is_zero_without_anchors(
    catalogue: Catalogue, folder: Path
) -> None:
    made = scorer(catalogue, folder)
    asked, given = query([MILK]), candidates([CAKE, BREAD, PEN])
    columns = asyncio.run(made.score(asked, given))
    logarithm = np.log(columns["score"])
    np.testing.assert_allclose(columns["log_score"], logarithm - logarithm.mean(), rtol=1e-4)
    without = Query(scene="s", now=NOW, triggers=asked.triggers, trigger_weights=asked.trigger_weights)
    assert asyncio.run(made.score(without, given))["log_score"].tolist() == [0, 0, 0]
    nothing = asyncio.run(scorer(catalogue, folder, unseen=0.0).score(asked, candidates([PEN])))
    assert np.isfinite(nothing["log_score"]).all()


@pytest.mark.parametrize("anchors", [[], [PEN]])
def test_without_evidence_the_best_sold_come_first(
    catalogue: Catalogue, folder: Path, anchors: list[int]
) -> None:
    found = scores(scorer(catalogue, folder), query(anchors), [CAKE, SAUSAGE, BREAD])
    assert sorted(found, key=lambda item: -found[item]) == [BREAD, SAUSAGE, CAKE]
    assert all(value > 0 for value in found.values())


def test_without_anchors_the_triggers_count(catalogue: Catalogue, folder: Path) -> None:
    asked = Query(
        scene="home",
        now=NOW,
        triggers=np.array([MILK, SAUSAGE], np.int32),
        trigger_weights=np.array([1.0, 0.1], np.float32),
    )
    plain = {"unseen": 0.0, "popularity_exponent": 0.0, "category_boost": 0.0, "anchor_exponent": 0.0}
    made = scorer(catalogue, folder, **plain)
    assert scores(made, asked, [BREAD, CAKE]) == pytest.approx(
        {BREAD: THREE + 0.5 * TWO, CAKE: TWO + THREE}, rel=1e-5
    )


def test_an_unknown_category_or_brand_matches_nothing(catalogue: Catalogue, folder: Path) -> None:
    """No item of this shop has a brand."""
    plain, boosted = (scorer(catalogue, folder, brand_boost=boost) for boost in (0.0, 5.0))
    items = [TEA, CAKE, BREAD]
    assert scores(plain, query([MILK]), items) == scores(boosted, query([MILK]), items)


def test_no_candidates_and_no_model(catalogue: Catalogue, folder: Path) -> None:
    made = scorer(catalogue, folder)
    assert scores(made, query([MILK], history=[TEA]), []) == {}
    assert made.model(query([MILK])) == NO_MODEL


def test_of_many_anchors_only_the_strongest_pairs_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred anchors with four hundred partners each, the most that triggers can be."""
    size, rng = 100_000, np.random.default_rng(0)
    partners = np.concatenate([rng.choice(size, 400, replace=False) + 1 for _ in range(100)])
    offsets = np.clip(np.arange(size + 2) - 1, 0, 100) * 400
    pairs = ItemLists(offsets, partners.astype(np.int32), np.ones(40_000, np.float32))
    of_category = ItemLists(
        np.arange(302) * 100, partners[:30_100].astype(np.int32), np.ones(30_100, np.float32)
    )
    codes = rng.integers(300, size=size + 1)
    table = AnchorTable(pairs, of_category, rng.integers(99, size=size + 1))
    read: list[int] = []
    gather = ItemLists.gather

    def counted(lists: ItemLists, *arguments: Any) -> Any:
        found = gather(lists, *arguments)
        read.append(len(found[0]))
        return found

    monkeypatch.setattr(ItemLists, "gather", counted)
    asked = query(range(1, 101))
    given = (rng.choice(size, 300, replace=False) + 1).tolist()
    asyncio.run(AnchorScorer(table, codes, codes, AnchorSettings()).score(asked, candidates(given)))
    assert len(read) == 2
    assert all(0 < pairs_read <= MOST_PAIRS for pairs_read in read)
