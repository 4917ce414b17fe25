"""The curve of likeness against NDCG: what a page's likeness is, and when a point reaches the goal."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.diversity_curve import LIKENESS, Point, arranged, draw, page_likeness
from pipeline.plan import Ranked
from pipeline.runner import rank
from tests.pipeline.stand_ins import FixedChannel, FixedOrder
from tests.pipeline.test_runner import pipeline
from tests.recall.small_shop import make_catalogue

pytestmark = pytest.mark.slow


def test_likeness_is_the_mean_over_the_pairs_of_a_page(tmp_path: Path) -> None:
    catalogue = make_catalogue(tmp_path, [1, 1, 2, 0, 0])
    vectors = np.zeros((6, 2), np.float32)
    vectors[1:4] = [[1, 0], [0, 1], [0.6, 0.8]]
    trained = {"graph vectors": vectors, "centred": -vectors}
    found = page_likeness(np.array([1, 2, 3], np.int32), catalogue, trained)
    assert found["category"] == pytest.approx(1 / 3)
    assert found["brand"] == 0
    assert found["graph vectors"] == found["centred"] == pytest.approx((0 + 0.6 + 0.8) / 3)
    # Items without a category are not of one.
    assert page_likeness(np.array([4, 5], np.int32), catalogue, trained)["category"] == 0
    assert page_likeness(np.array([1], np.int32), catalogue, trained)["category"] == 0


def test_the_goal_is_both_less_likeness_and_little_loss(tmp_path: Path) -> None:
    def made(change: float, ils: float) -> Point:
        ways = dict.fromkeys(LIKENESS, ils)
        return Point("mmr 0.9", "mmr", 0.3, change, change, change, ways, ways, 8.0)

    assert made(-0.02, -0.35).reaches_goal("brand")
    assert not made(-0.021, -0.35).reaches_goal("brand")
    assert not made(-0.02, -0.34).reaches_goal("brand")
    draw([made(-0.01, -0.2), made(-0.02, -0.4)], tmp_path / "curve.svg")
    assert (tmp_path / "curve.svg").read_text().lstrip().startswith("<?xml")


def test_a_page_that_went_without_a_reranker_is_no_page_of_its_order() -> None:
    tested = pipeline(
        FixedChannel("one", [1, 2, 3]),
        rerankers=(FixedOrder("turned", lambda n: range(n)[::-1]),),
        spared_late=frozenset({"turned"}),
    )

    def ranked(left_s: float) -> Ranked[Any]:
        found = asyncio.run(rank(tested, "query", 3, time.monotonic() + 3_600, time.monotonic))
        return replace(found, cutoffs=replace(found.cutoffs, page=time.monotonic() + left_s))

    assert arranged(ranked(3_600)).tolist() == [3, 2, 1]
    with pytest.raises(RuntimeError, match="went without rerank:turned"):
        arranged(ranked(-1))
