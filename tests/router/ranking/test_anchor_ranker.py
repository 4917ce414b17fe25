"""The fitted order of a page about an item: inputs, what keeps pages apart, what is served unfitted."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.candidates import Candidates
from recall.item_facts import item_facts
from recall.query import Query
from router.ranking.anchor import AnchorScorer, AnchorSettings
from router.ranking.anchor_ranker.fitted import FittedAnchorRankers, Regression, SceneRegressions
from router.ranking.anchor_ranker.inputs import FORMULA, AnchorInputs, input_names, own_inputs
from router.ranking.anchor_ranker.scorer import (
    PROBABILITY,
    VALUE,
    AnchorRanker,
    AnchorRankerSettings,
    open_scorer,
)
from router.ranking.anchor_ranker.table import ANCHOR_RANKER, AnchorRankerTable, AnchorRankerTableSettings
from router.ranking.anchor_table import ANCHOR_PAIRS, AnchorTable, AnchorTableSettings
from router.ranking.first_merge import First
from router.ranking.scorer_kind import ScorerContext
from snapshot import Catalogue
from snapshot.manifest import SnapshotError
from tests.recall.small_shop import DAY, NOW, make_catalogue, make_source
from tests.router.ranking.test_anchor import BASKETS, CAKE, CATEGORIES, MILK, PEN, PURCHASE, candidates

CHANNELS = ("ranki2i", "hot")
EVENTS = [
    (shopper, item, PURCHASE, NOW - DAY * shopper + item)
    for shopper, items in enumerate(BASKETS, start=1)
    for item in items
]
ALL = [1, 2, 3, 4, 5, 6]


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    return make_catalogue(tmp_path_factory.mktemp("shop"), CATEGORIES)


@pytest.fixture(scope="module")
def pairs(catalogue: Catalogue, tmp_path_factory: pytest.TempPathFactory) -> AnchorTable:
    folder = tmp_path_factory.mktemp("pairs")
    ANCHOR_PAIRS.build(make_source(catalogue, EVENTS), folder, AnchorTableSettings())
    opened: AnchorTable = ANCHOR_PAIRS.open(folder, catalogue, AnchorTableSettings())
    return opened


def regression(weights: dict[str, float], bias: float = -2.0) -> Regression:
    names = input_names(CHANNELS)
    assert set(weights) <= set(names)
    return Regression(
        mean=(0.0,) * len(names),
        scale=(1.0,) * len(names),
        weights=tuple(weights.get(name, 0.0) for name in names),
        bias=bias,
        pages=1,
        taken=1,
    )


def ranker(
    catalogue: Catalogue, pairs: AnchorTable, fitted: FittedAnchorRankers, **settings: float
) -> AnchorRanker:
    table = AnchorRankerTable(item_facts(make_source(catalogue, EVENTS), 10.0), fitted)
    context = ScorerContext(catalogue, {}, tables={ANCHOR_PAIRS.name: pairs, ANCHOR_RANKER.name: table})
    return open_scorer(context, AnchorRankerSettings(**settings))


def fitted(known: Regression, anonymous: Regression) -> FittedAnchorRankers:
    scene = SceneRegressions(
        channels=CHANNELS, inputs=input_names(CHANNELS), known=known, anonymous=anonymous
    )
    return FittedAnchorRankers(scenes={"similar_items": scene})


def about(item: int, history: tuple[int, ...] = ()) -> Query:
    count = len(history)
    return Query(
        scene="similar_items",
        now=NOW,
        history_items=np.array(history, np.int32),
        history_events=np.full(count, PURCHASE, np.uint8),
        history_ts=np.full(count, NOW - DAY, np.int64),
    ).about(np.array([item], np.int32))


def asked(made: AnchorRanker, query: Query, given: Candidates) -> dict[str, np.ndarray]:
    columns = dict(asyncio.run(made.score(query, given)))
    assert list(columns) == [VALUE, PROBABILITY]
    assert all(column.dtype == np.float32 and column.shape == (len(given),) for column in columns.values())
    return columns


def test_inputs_are_named_and_finite(catalogue: Catalogue, pairs: AnchorTable) -> None:
    inputs = AnchorInputs(pairs, item_facts(make_source(catalogue, EVENTS), 10.0), catalogue)
    names = input_names(CHANNELS)
    for query in (about(MILK), about(0), about(MILK, (CAKE, PEN))):
        found = inputs.of(query, candidates(ALL), CHANNELS)
        assert found.shape == (len(ALL), len(names))
        assert found.dtype == np.float32
        assert np.isfinite(found).all()
    found = inputs.of(about(MILK), candidates(ALL), CHANNELS)
    same = found[:, names.index("anchor.same_category")]
    assert same.tolist() == [category == CATEGORIES[MILK - 1] for category in CATEGORIES]
    formula = AnchorScorer(pairs, catalogue.category, catalogue.brand, AnchorSettings(own_weight=0.0))
    query = about(MILK)
    score = formula.scores(query, np.array(ALL, np.int32), query.anchors, query.anchor_weights)
    log_score = np.log(np.maximum(score, 1e-12))
    assert found[:, names.index(f"anchor.{FORMULA}")] == pytest.approx(log_score - log_score.mean(), abs=1e-4)
    assert inputs.of(query, candidates([]), CHANNELS).shape == (0, len(names))


def test_what_tells_of_the_shopper_is_nothing_for_nobody(catalogue: Catalogue, pairs: AnchorTable) -> None:
    """Of an anonymous shopper all candidates are alike in these inputs, so they order nothing."""
    inputs = AnchorInputs(pairs, item_facts(make_source(catalogue, EVENTS), 10.0), catalogue)
    own = own_inputs(CHANNELS)
    assert 20 < own.sum() < own.size - 20
    nobody = inputs.of(about(MILK), candidates(ALL), CHANNELS)[:, own]
    assert (nobody == nobody[0]).all()
    somebody = inputs.of(about(MILK, (CAKE,)), candidates(ALL), CHANNELS)
    changed = (somebody != inputs.of(about(MILK), candidates(ALL), CHANNELS)).any(axis=0)
    assert changed.any()
    assert not changed[~own].any()


def test_known_and_unknown_shoppers_have_weights_of_their_own(
    catalogue: Catalogue, pairs: AnchorTable
) -> None:
    made = ranker(
        catalogue,
        pairs,
        fitted(regression({"item.count": 3.0}), regression({f"anchor.{FORMULA}": 1.0})),
        popularity_weight=0.0,
        own_weight=1.0,
    )
    given = candidates(ALL)
    nobody = asked(made, about(MILK), given)
    assert nobody[VALUE] == pytest.approx(nobody[PROBABILITY])
    assert ALL[int(np.argmax(nobody[VALUE]))] == CAKE
    somebody = asked(made, about(MILK, (PEN,)), given)
    assert ALL[int(np.argmax(somebody[VALUE]))] == PEN
    assert somebody[PROBABILITY][PEN - 1] == pytest.approx(1 / (1 + np.exp(2.0 - 3.0 * np.log(2))), rel=1e-4)


def test_the_order_counts_a_part_of_habit_and_takes_off_popularity(
    catalogue: Catalogue, pairs: AnchorTable
) -> None:
    both = regression({"item.count": 3.0, f"anchor.{FORMULA}": 1.0})
    given, query = candidates(ALL), about(MILK, (PEN,))

    def log_odds(own_weight: float, popularity_weight: float) -> tuple[np.ndarray, np.ndarray]:
        made = ranker(
            catalogue,
            pairs,
            fitted(both, both),
            own_weight=own_weight,
            popularity_weight=popularity_weight,
        )
        columns = asked(made, query, given)
        return np.log(columns[VALUE] / (1 - columns[VALUE])), columns[PROBABILITY]

    whole, chance = log_odds(1.0, 0.0)
    part, same_chance = log_odds(0.25, 0.0)
    less, _ = log_odds(1.0, 0.5)
    assert same_chance == pytest.approx(chance)
    habit = np.where(np.array(ALL) == PEN, 3.0 * np.log(2), 0)
    assert whole - part == pytest.approx(0.75 * habit, abs=1e-3)
    assert whole - less == pytest.approx(0.5 * np.log1p(pairs.baskets[1:] / 10), abs=1e-3)


def test_a_scene_that_names_no_weight_of_popularity_has_the_fitted_one(
    catalogue: Catalogue, pairs: AnchorTable
) -> None:
    known, anonymous = (
        regression({f"anchor.{FORMULA}": 1.0}).model_copy(update={"popularity_weight": weight})
        for weight in (0.3, 0.9)
    )
    made = ranker(catalogue, pairs, fitted(known, anonymous))
    given = candidates(ALL)
    for query, weight in ((about(MILK, (PEN,)), 0.3), (about(MILK), 0.9)):
        named = ranker(catalogue, pairs, fitted(known, anonymous), popularity_weight=weight)
        np.testing.assert_array_equal(asked(made, query, given)[VALUE], asked(named, query, given)[VALUE])
        other = ranker(catalogue, pairs, fitted(known, anonymous), popularity_weight=0.0)
        assert (asked(made, query, given)[VALUE] < asked(other, query, given)[VALUE]).all()


def test_a_scene_without_weights_is_ordered_as_by_anchor(catalogue: Catalogue, pairs: AnchorTable) -> None:
    made = ranker(catalogue, pairs, FittedAnchorRankers())
    given, query = candidates(ALL), about(MILK, (PEN,))
    columns = asked(made, query, given)
    formula = AnchorScorer(pairs, catalogue.category, catalogue.brand, AnchorSettings())
    assert columns[VALUE] == pytest.approx(asyncio.run(formula.score(query, given))["score"])
    merged = First().merge({f"anchor_ranker.{name}": column for name, column in columns.items()})
    assert merged.probability is None, "what is not fitted promises no probability"
    with_weights = ranker(catalogue, pairs, fitted(regression({}), regression({})))
    shown = asked(with_weights, query, given)
    merged = First().merge({f"anchor_ranker.{name}": column for name, column in shown.items()})
    assert merged.column == "anchor_ranker.value"
    assert merged.probability is not None
    assert merged.probability == pytest.approx(1 / (1 + np.exp(2.0)))
    # Without an anchor there is nothing that candidates could go with.
    nothing = Query(scene="similar_items", now=NOW)
    assert np.isnan(asked(with_weights, nothing, given)[PROBABILITY]).all()


def test_the_table_keeps_what_was_fitted_and_refuses_other_inputs(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    made = fitted(regression({"item.count": 1.0}), regression({}))
    before, table = tmp_path / "fitted", tmp_path / "table"
    before.mkdir()
    table.mkdir()
    made.write(before)
    source = replace(make_source(catalogue, EVENTS), fitted={ANCHOR_RANKER.name: before})
    assert ANCHOR_RANKER.build(source, table, AnchorRankerTableSettings())["scenes"] == 1
    assert ANCHOR_RANKER.open(table, catalogue, AnchorRankerTableSettings()).fitted == made
    scene = made.scenes["similar_items"]
    other = scene.model_copy(update={"inputs": tuple(reversed(scene.inputs))})
    FittedAnchorRankers(scenes={"similar_items": other}).write(table)
    with pytest.raises(SnapshotError, match="other inputs"):
        ANCHOR_RANKER.open(table, catalogue, AnchorRankerTableSettings())
