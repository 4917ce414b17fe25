"""The curve of likeness against NDCG: what a page's likeness is, and when a point reaches the goal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.diversity_curve import Point, draw, page_likeness
from tests.recall.small_shop import make_catalogue

pytestmark = pytest.mark.slow


def test_likeness_is_the_mean_over_the_pairs_of_a_page(tmp_path: Path) -> None:
    catalogue = make_catalogue(tmp_path, [1, 1, 2, 0, 0])
    vectors = np.zeros((6, 2), np.float32)
    vectors[1:4] = [[1, 0], [0, 1], [0.6, 0.8]]
    found = page_likeness(np.array([1, 2, 3], np.int32), catalogue, vectors)
    assert found["category"] == pytest.approx(1 / 3)
    assert found["brand"] == 0
    assert found["graph vectors"] == pytest.approx((0 + 0.6 + 0.8) / 3)
    # Items without a category are not of one.
    assert page_likeness(np.array([4, 5], np.int32), catalogue, vectors)["category"] == 0
    assert page_likeness(np.array([1], np.int32), catalogue, vectors)["category"] == 0


def test_the_goal_is_both_less_likeness_and_little_loss(tmp_path: Path) -> None:
    def made(change: float, ils: float) -> Point:
        ways = dict.fromkeys(("graph vectors", "category", "brand"), ils)
        return Point("mmr 0.9", "mmr", 0.3, change, change, change, ways, ways, 8.0)

    assert made(-0.02, -0.35).reaches_goal("brand")
    assert not made(-0.021, -0.35).reaches_goal("brand")
    assert not made(-0.02, -0.34).reaches_goal("brand")
    draw([made(-0.01, -0.2), made(-0.02, -0.4)], tmp_path / "curve.svg")
    assert (tmp_path / "curve.svg").read_text().lstrip().startswith("<?xml")
