"""Baselines against the formula on a small log, and against the future."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from evaluation.baselines import ItemCf, popularity_scores
from evaluation.settings import ItemCfSettings
from models.interaction_log import InteractionLog
from tests.models.small_log import START, random_log

DAY = 86_400
CUT = START + 100 * DAY


def log_of(rows: list[tuple[int, int, int]], items: int, categories: list[int]) -> InteractionLog:
    """rows: (user, item, days before the cut)."""
    frame = pl.DataFrame(
        {
            "user": pl.Series([row[0] for row in rows], dtype=pl.Int32),
            "item": pl.Series([row[1] for row in rows], dtype=pl.Int32),
            "event": pl.Series([5] * len(rows), dtype=pl.UInt8),
            "ts": [CUT - row[2] * DAY for row in rows],
        }
    )
    users = pl.DataFrame({"user": np.arange(1, max(row[0] for row in rows) + 1, dtype=np.int32)})
    return InteractionLog.from_frames(frame, users, items, np.array([0, *categories], dtype=np.int32))


def test_popularity_counts_shoppers_before_the_cut_once() -> None:
    log = log_of([(1, 1, 5), (1, 1, 4), (2, 1, 3), (2, 2, 2), (1, 2, -1)], 3, [0, 0, 0])
    assert popularity_scores(log.behaviours, 3, CUT).tolist() == [0, 2, 1, 0]


def test_similarity_is_the_shrunk_decayed_cosine_of_windows() -> None:
    settings = ItemCfSettings(window_hours=24, half_life_days=10, shrinkage=0.5, neighbours=10)
    # Two windows: user 1 took items 1 and 2 a day ago, user 2 took 1, 2 and 3 ten days ago.
    rows = [(1, 1, 1), (1, 2, 1), (2, 1, 10), (2, 2, 10), (2, 3, 10)]
    model = ItemCf.fit(log_of(rows, 3, [0, 0, 0]), CUT, settings)
    recent, old = 0.5**0.1 / math.log2(3), 0.5 / math.log2(4)
    expected = (recent + old) / ((recent + old) + 0.5)
    assert model.similarity[1, 2] == pytest.approx(expected, rel=1e-5)
    assert model.similarity[1, 3] == pytest.approx(old / (math.sqrt((recent + old) * old) + 0.5), rel=1e-5)
    assert model.similarity[2, 2] == 1


def test_scores_decay_with_the_age_of_the_history_and_back_off_to_categories() -> None:
    settings = ItemCfSettings(history_half_life_days=7, category_weight=0.01, window_hours=24)
    rows = [(1, 1, 1), (1, 2, 1), (2, 3, 1)]
    model = ItemCf.fit(log_of(rows, 5, [1, 1, 2, 1, 2]), CUT, settings)
    scores = model.scores(
        np.array([1, 1], dtype=np.int32),
        np.array([CUT, CUT - 7 * DAY]),
        np.array([0, 1, 2]),
        np.array([CUT] * 2),
    )
    assert scores.shape == (2, 6)
    # Itself, then its neighbour, then its category; what is only popular comes far behind; item 0 never.
    assert scores[0, 1] > scores[0, 2] > scores[0, 4] > 100 * scores[0, 3] > 0
    assert scores[0, 0] == 0
    assert scores[1, 1] == pytest.approx(scores[0, 1] / 2, rel=1e-3)


def test_the_future_does_not_shape_the_baselines() -> None:
    log = random_log(3, events=400)
    cut = START + 20_000
    early = InteractionLog.from_frames(
        pl.DataFrame(
            {
                "user": log.behaviours.user,
                "item": log.behaviours.item,
                "event": log.behaviours.event,
                "ts": log.behaviours.ts,
            }
        ).filter(pl.col("ts") < cut),
        pl.DataFrame({"user": np.arange(1, 7, dtype=np.int32)}),
        log.items,
        log.categories,
    )
    settings = ItemCfSettings(window_hours=1)
    one, two = ItemCf.fit(log, cut, settings), ItemCf.fit(early, cut, settings)
    assert (one.similarity != two.similarity).nnz == 0
    assert (one.category_similarity != two.category_similarity).nnz == 0
    np.testing.assert_array_equal(one.popularity, two.popularity)


def test_only_the_best_neighbours_are_kept() -> None:
    log = random_log(8, users=40, items=30, events=3000, impressions=0.0)
    full = ItemCf.fit(log, CUT, ItemCfSettings(neighbours=100)).similarity.toarray()
    few = ItemCf.fit(log, CUT, ItemCfSettings(neighbours=3)).similarity.toarray()
    np.fill_diagonal(full, 0)
    np.fill_diagonal(few, 0)
    assert ((few > 0).sum(1) <= 3).all()
    for row in range(1, 31):
        np.testing.assert_allclose(np.sort(few[row])[-3:], np.sort(full[row])[-3:], rtol=1e-6)
