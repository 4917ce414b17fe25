"""The last layer of ranking: its inputs, its table and weights, its scorer, and the merge with a model."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.candidates import Candidates, unscored
from pipeline.stages import NO_MODEL
from recall.item_facts import FACTS, item_facts
from recall.query import Query
from router.ranking.log_odds_merge import LogOddsSettings, create, log_odds_of
from router.ranking.logistic.inputs import input_names, ranker_inputs
from router.ranking.logistic.scorer import SCORER, LogisticSettings, open_scorer, probability
from router.ranking.logistic.table import LOGISTIC_RANKER, NAME, LogisticRankerSettings, LogisticTable
from router.ranking.logistic.weights import (
    FILE,
    NewcomerPart,
    SceneShift,
    Weights,
    default_weights,
    newness,
)
from router.ranking.scorer_kind import ScorerContext
from snapshot import Catalogue
from snapshot.manifest import SnapshotError
from tests.recall.small_shop import DAY, NOW, make_catalogue, make_query, make_source

VIEW, PURCHASE = 2, 5
CHANNELS = ("again", "hot")
CATEGORIES = (1, 1, 2, 2, 3)
EVENTS = [
    (1, 1, PURCHASE, NOW - 20 * DAY),
    (1, 1, PURCHASE, NOW - 10 * DAY),
    (2, 1, VIEW, NOW - DAY),
    (2, 3, PURCHASE, NOW - 90 * DAY),
    (3, 3, 1, NOW - DAY),
]


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    return make_catalogue(tmp_path_factory.mktemp("shop"), CATEGORIES)


def candidates(*items: int, **ranks: list[float]) -> Candidates:
    count = len(items)
    zeros = np.zeros(count, np.int32)
    rows = unscored(np.array(items, np.int32), zeros.astype(np.uint32), zeros.astype(np.float32), zeros)
    return rows.with_columns({f"rank.{name}": np.array(each, np.float32) for name, each in ranks.items()})


def inputs(
    catalogue: Catalogue, query: Query, rows: Candidates, channels: tuple[str, ...] = CHANNELS
) -> dict[str, np.ndarray]:
    facts = item_facts(make_source(catalogue, EVENTS), 10.0)
    found = ranker_inputs(query, rows, facts, catalogue, channels)
    assert np.isfinite(found).all()
    assert found.dtype == np.float32
    return dict(zip(input_names(channels), found.T, strict=True))


def test_a_rank_enters_by_the_discount_of_ndcg_and_what_was_not_recalled_by_zero(
    catalogue: Catalogue,
) -> None:
    found = inputs(catalogue, make_query(), candidates(1, 2, 3, again=[1, 3, np.nan]))
    np.testing.assert_allclose(found["rank.again.log"], [1, 0.5, 0])
    np.testing.assert_allclose(found["rank.again.inverse"], [1, 10 / 12, 0])
    assert not found["rank.hot.log"].any()


def test_memory_counts_the_item_its_category_and_old_purchases_too(catalogue: Catalogue) -> None:
    query = make_query(
        history=[(1, VIEW, NOW - 2 * DAY), (2, VIEW, NOW - 3 * DAY)],
        purchases=[(1, NOW - 12 * DAY), (4, NOW - 30 * DAY)],
    )
    found = inputs(catalogue, query, candidates(1, 2, 3, 5))
    np.testing.assert_allclose(np.expm1(found["item.count"]), [2, 1, 0, 0], rtol=1e-5)
    np.testing.assert_allclose(np.expm1(found["item.bought"]), [1, 0, 0, 0], rtol=1e-5)
    np.testing.assert_allclose(np.expm1(found["category.count"]), [3, 3, 1, 0], rtol=1e-5)
    np.testing.assert_allclose(np.expm1(found["item.newest"])[:2], [2, 3], rtol=1e-4)
    assert found["item.returned"].tolist() == [1, 0, 0, 0]
    np.testing.assert_allclose(np.expm1(found["item.gap"])[0], 10, rtol=1e-4)
    np.testing.assert_allclose(found["item.share_of_visits"], [2 / 4, 1 / 4, 0, 0])


def test_a_shopper_nobody_knows_has_finite_inputs(catalogue: Catalogue) -> None:
    found = inputs(catalogue, make_query(), candidates(1, 2))
    assert not found["item.count"].any()
    assert found["shopper.count"].tolist() == [0, 0]


def test_no_candidates_have_no_rows(catalogue: Catalogue) -> None:
    assert inputs(catalogue, make_query(), candidates())["item.count"].size == 0


def test_facts_count_behaviours_not_impressions_and_fade(catalogue: Catalogue) -> None:
    values = item_facts(make_source(catalogue, EVENTS), 10.0).values
    column = {name: values[:, place] for place, name in enumerate(FACTS)}
    assert values.shape == (6, len(FACTS))
    assert column["popularity_3d"][1] > column["popularity_3d"][3]
    assert column["popularity_3d"][3] == pytest.approx(column["popularity_3d"][5], abs=1e-3)
    assert column["popularity_60d"][3] > column["popularity_60d"][5]
    np.testing.assert_allclose(column["shoppers"][[1, 3, 5]], np.log([10_001, 5_001, 1]), rtol=1e-5)
    assert column["repeat_rate"][1] > column["repeat_rate"][3]


def weights(**changed: object) -> Weights:
    return default_weights(CHANNELS, input_names(CHANNELS)).model_copy(update=changed)


def table(catalogue: Catalogue, folder: Path, learned: Weights | None) -> LogisticTable:
    """The table that a build writes and a router opens."""
    source = make_source(catalogue, EVENTS)
    if learned is not None:
        (folder / "fitted").mkdir(parents=True)
        learned.write(folder / "fitted")
        source = replace(source, fitted={NAME: folder / "fitted"})
    (folder / "table").mkdir(parents=True)
    LOGISTIC_RANKER.build(source, folder / "table", LogisticRankerSettings())
    opened: LogisticTable = LOGISTIC_RANKER.open(folder / "table", catalogue, LogisticRankerSettings())
    return opened


def test_weights_come_back_as_they_were_written(catalogue: Catalogue, tmp_path: Path) -> None:
    learned = weights(shoppers=3, model="bst", alone_bias=-1.25)
    assert table(catalogue, tmp_path, learned).learned == learned


def test_without_fitted_weights_the_default_ones_are_served(catalogue: Catalogue, tmp_path: Path) -> None:
    assert table(catalogue, tmp_path, None).learned.shoppers == 0


def test_default_weights_keep_the_order_of_recall(catalogue: Catalogue, tmp_path: Path) -> None:
    scorer = open_scorer(
        ScorerContext(catalogue, {}, tables={NAME: table(catalogue, tmp_path, weights())}), LogisticSettings()
    )
    rows = candidates(1, 2, 3, again=[2, 1, np.nan], hot=[1, 2, 3])
    scores = asyncio.run(scorer.score(make_query(), rows))
    assert tuple(scores) == SCORER.columns
    assert scores["score"][2] < scores["score"].min(initial=1, where=[True, True, False])
    assert ((scores["score"] > 0) & (scores["score"] < 1)).all()
    assert scorer.model(make_query()) == NO_MODEL


def test_a_scene_with_a_shift_promises_more_in_the_same_order(catalogue: Catalogue, tmp_path: Path) -> None:
    learned = weights(taken=40, scene_shifts={"cart": SceneShift(alone=0.5, beside=-0.25)})
    scorer = open_scorer(
        ScorerContext(catalogue, {}, tables={NAME: table(catalogue, tmp_path, learned)}), LogisticSettings()
    )
    rows = candidates(1, 2, 3, again=[2, 1, np.nan], hot=[1, 2, 3])
    home, cart = (
        asyncio.run(scorer.score(replace(make_query(), scene=scene), rows)) for scene in ("home", "cart")
    )
    np.testing.assert_array_equal(home["score"], cart["score"])
    np.testing.assert_allclose(
        log_odds_of(cart["probability"]), log_odds_of(home["probability"]) + 0.5, rtol=1e-4
    )
    assert home["shift"].tolist() == [0] * 3
    assert cart["shift"].tolist() == [-0.25] * 3


def test_a_value_never_seen_does_not_outweigh_all_others(catalogue: Catalogue, tmp_path: Path) -> None:
    names = input_names(CHANNELS)
    one = tuple(float(name == "item.count") for name in names)
    learned = weights(alone=one, alone_bias=0.0, scale=tuple(1e-3 for _ in names))
    found = table(catalogue, tmp_path, learned)
    row = np.zeros((1, len(names)), np.float32)
    row[0, names.index("item.count")] = 50
    assert found.layer.log_odds(row)[0][0, 0] == pytest.approx(8)


def test_newness_is_whole_without_behaviours_and_half_with_as_many_as_said() -> None:
    counts = np.log1p(np.array([0, 30, 90], np.float32))
    assert newness(counts, 30).tolist() == pytest.approx([1, 0.5, 0.25])
    assert newness(counts, 0).tolist() == [0, 0, 0]


def newcomers(**changed: object) -> Weights:
    """Nothing counts but one input: 1 for whom much is known, −2 more for whom nothing is."""
    names = input_names(CHANNELS)
    one = tuple(float(name == "item.trend") for name in names)
    part = NewcomerPart(
        events=30,
        alone=tuple(-2 * each for each in one),
        alone_bias=4,
        with_model=tuple(3 * each for each in one),
        with_model_bias=-1,
        model_weight=0.5,
    )
    return weights(alone=one, alone_bias=0.0, with_model=one, newcomer=part.model_copy(update=changed))


def test_the_newcomers_part_counts_by_newness(catalogue: Catalogue, tmp_path: Path) -> None:
    learned = newcomers()
    found = table(catalogue, tmp_path, learned)
    assert found.learned == learned
    rows = np.zeros((3, len(learned.inputs)), np.float32)
    rows[:, learned.inputs.index("item.trend")] = 2
    rows[:, learned.inputs.index("shopper.count")] = np.log1p([0, 30, 1e9])
    log_odds, model_weight = found.layer.log_odds(rows)
    np.testing.assert_allclose(log_odds[:, 0], [2 - 4 + 4, 2 - 2 + 2, 2], atol=1e-4)
    np.testing.assert_allclose(log_odds[:, 1], [2 + 6 - 1, 2 + 3 - 0.5, 2], atol=1e-4)
    np.testing.assert_allclose(model_weight, [1.5, 1.25, 1], atol=1e-4)


def test_a_newcomer_is_ordered_by_other_weights(catalogue: Catalogue, tmp_path: Path) -> None:
    """Item 1 sells best lately. Whoever knows it and never takes it is not shown it first; a newcomer is."""
    names = input_names(CHANNELS)
    popular = tuple(float(name == "item.popularity_3d") for name in names)
    part = NewcomerPart(events=1, alone=tuple(3 * each for each in popular), with_model=(0.0,) * len(names))
    learned = weights(alone=tuple(-each for each in popular), newcomer=part)
    scorer = open_scorer(
        ScorerContext(catalogue, {}, tables={NAME: table(catalogue, tmp_path, learned)}), LogisticSettings()
    )
    rows = candidates(3, 1, 5)
    known = make_query([(4, VIEW, NOW - 9 * place) for place in range(1, 9)])
    assert np.argmax(asyncio.run(scorer.score(make_query(), rows))["score"]) == 1
    assert np.argmin(asyncio.run(scorer.score(known, rows))["score"]) == 1
    # What goes with a cart counts sales already.
    with_cart = make_query().about(np.array([2], np.int32))
    assert np.argmin(asyncio.run(scorer.score(with_cart, rows))["score"]) == 1


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        newcomers(alone=(1.0,)).model_dump_json().encode(),
        newcomers(events=-1.0).model_dump_json().encode(),
        b"{}",
        b"[1]",
        json.dumps({**weights().model_dump(), "scale": [0.0] * len(input_names(CHANNELS))}).encode(),
        json.dumps({**weights().model_dump(), "mean": [0.0]}).encode(),
        weights().model_dump_json().replace('"alone_bias":-3.0', '"alone_bias":NaN').encode(),
        weights(scene_shifts={"cart": {"alone": 0.0, "beside": 4.0}})
        .model_dump_json(warnings=False)
        .encode(),
        weights(inputs=("other", *input_names(CHANNELS)[1:])).model_dump_json().encode(),
    ],
)
def test_a_torn_file_is_named(catalogue: Catalogue, tmp_path: Path, broken: bytes) -> None:
    table(catalogue, tmp_path, weights())
    (tmp_path / "table" / FILE).write_bytes(broken)
    with pytest.raises(SnapshotError, match=r"weights\.json"):
        LOGISTIC_RANKER.open(tmp_path / "table", catalogue, LogisticRankerSettings())


def columns(**values: list[float]) -> dict[str, np.ndarray]:
    return {name.replace("__", "."): np.array(each, np.float32) for name, each in values.items()}


@given(
    st.lists(st.tuples(st.floats(0.001, 0.999), st.floats(-4, 4), st.floats(-2, 2)), min_size=1, max_size=6)
)
def test_the_merge_adds_log_odds(rows: list[tuple[float, float, float]]) -> None:
    model, part, weight = (list(each) for each in zip(*rows, strict=True))
    weight = [weight[0]] * len(weight)
    merged = create(LogOddsSettings()).merge(
        columns(
            triton__score=model,
            logistic__score=[0.5] * len(rows),
            logistic__with_model=part,
            logistic__model_weight=weight,
        )
    )
    assert merged is not None
    odds = [np.log(m / (1 - m)) for m in model]
    expected = [1 / (1 + np.exp(-(p + weight[0] * o))) for p, o in zip(part, odds, strict=True)]
    np.testing.assert_allclose(merged.values, expected, rtol=1e-4, atol=1e-6)
    assert (merged.column, merged.values.dtype) == ("triton.score", np.float32)


def test_without_the_model_the_ranker_orders_alone_and_without_the_ranker_the_model() -> None:
    merge = create(LogOddsSettings())
    ranker = columns(logistic__score=[0.2, 0.4], logistic__with_model=[9, 9], logistic__model_weight=[1, 1])
    alone, model = merge.merge(ranker), merge.merge(columns(triton__score=[0.7, 0.1]))
    assert alone is not None
    assert model is not None
    np.testing.assert_allclose(alone.values, [0.2, 0.4])
    np.testing.assert_allclose(model.values, [0.7, 0.1])
    assert (alone.column, model.column) == ("logistic.score", "triton.score")
    assert merge.merge(columns(other__score=[1.0])) is None


def test_a_nan_of_the_model_stays_one_and_certain_scores_are_finite() -> None:
    merged = create(LogOddsSettings()).merge(
        columns(
            triton__score=[np.nan, 0.0, 1.0],
            logistic__score=[0.5] * 3,
            logistic__with_model=[0.0] * 3,
            logistic__model_weight=[1.0] * 3,
        )
    )
    assert merged is not None
    assert np.isnan(merged.values).tolist() == [True, False, False]
    assert np.isfinite(log_odds_of(np.array([0, 1], np.float32))).all()


def test_probabilities_of_any_odds_are_inside_and_keep_the_order() -> None:
    found = probability(np.array([-1e9, -20, -1, 0, 1, 1e9], np.float32))
    assert ((found > 0) & (found < 1)).all()
    assert (np.diff(found) >= 0).all()
