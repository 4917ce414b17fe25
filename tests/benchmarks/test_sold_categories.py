"""Made sales of categories, and the weights of pictures by them."""

from __future__ import annotations

import numpy as np

from benchmarks.category_predictor import spread_rows
from benchmarks.sold_categories import made_sales, weights_of


def test_made_sales_are_skewed_and_of_their_seed() -> None:
    sold = made_sales(44, 0)
    assert sold.sum() == 10_000
    best = np.sort(sold)[::-1]
    assert 1.6 < best[0] / best[1] < 2.4
    assert best[0] > 15 * np.median(sold)
    assert (made_sales(44, 0) == sold).all()
    assert made_sales(44, 1).argmax() != sold.argmax()


def test_classes_weigh_as_they_were_sold_however_many_pictures_they_have() -> None:
    classes = np.array([0, 0, 0, 1, -1])
    weights = weights_of(classes, np.array([6, 3, 1]))
    np.testing.assert_allclose(weights, [2, 2, 2, 3, 0])


def test_rows_are_spread_over_a_range() -> None:
    assert spread_rows(10, 0).tolist() == list(range(10))
    assert spread_rows(9, 3).tolist() == [0, 4, 8]
    assert spread_rows(2, 5).tolist() == [0, 1]
