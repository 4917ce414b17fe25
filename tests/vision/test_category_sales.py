"""What a log says was sold of categories, and how pictures are drawn by it."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from snapshot.event_codes import PURCHASE, VIEW
from vision.category_sales import EVENLY, Sales, draws_of, sales_of
from vision.settings import CategoryNetworkSettings

DAY = 86_400
CODES = np.array([0, 1, 1, 2, 0], np.int32)
"""Of items 1 … 4, the last of which has no category."""


def log(rows: list[tuple[int, int, int]]) -> pl.LazyFrame:
    schema = {"item": pl.Int32, "event": pl.UInt8, "ts": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row").lazy()


def test_purchases_of_the_last_days_are_counted_by_category() -> None:
    events = log(
        [
            (1, PURCHASE, 0),
            (1, PURCHASE, 10 * DAY),
            (2, PURCHASE, 11 * DAY),
            (2, PURCHASE, 11 * DAY),
            (3, VIEW, 12 * DAY),
            (3, PURCHASE, 39 * DAY),
            (4, PURCHASE, 40 * DAY),
        ]
    )
    sales = sales_of(events, CODES, 30)
    assert sales.purchases.tolist() == [1, 3, 1]
    assert sales.days == 30
    whole = sales_of(events, CODES, 365)
    assert whole.purchases.tolist() == [1, 4, 1]
    assert whole.days == 40


def test_pictures_are_drawn_as_their_categories_were_bought() -> None:
    sales, classes = Sales(np.array([7, 29, 9]), 30), np.array([1, 2])
    wanted = CategoryNetworkSettings(draw_by="sales", least_draws=0.01)
    draws = draws_of(sales, classes, wanted)
    assert draws.said == "as 38 purchases of the log's last 30 days are spread over categories"
    own = np.array([0] * 10 + [1] * 10)
    found = draws.of(own)
    assert found is not None
    # One purchase more of either.
    np.testing.assert_allclose(np.bincount(own, found), [15, 5], rtol=1e-6)
    weights = draws.weights(np.array([0, 0, 1]))
    assert weights is not None
    np.testing.assert_allclose(weights, [0.375, 0.375, 0.25])


def test_without_the_setting_each_is_drawn_once_and_sales_only_weigh() -> None:
    draws = draws_of(Sales(np.array([0, 30, 10]), 5), np.array([1, 2]), CategoryNetworkSettings())
    assert draws.said == EVENLY
    assert draws.of(np.array([0, 1, 1])) is None
    weights = draws.weights(np.array([0, 1, 1]))
    assert weights is not None
    assert weights[0] == pytest.approx(31 / 42)


def test_without_sales_each_is_drawn_once_and_the_reason_is_said() -> None:
    wanted, classes = CategoryNetworkSettings(draw_by="sales", sales_days=90), np.array([1, 2])
    empty = sales_of(log([]), CODES, 90)
    viewed = sales_of(log([(1, VIEW, 5), (4, PURCHASE, 6)]), CODES, 90)
    for sales in (None, empty, viewed):
        draws = draws_of(sales, classes, wanted)
        assert draws.said == (
            "each once a pass: nothing that it names was bought in the last 90 days of the log"
        )
        assert draws.of(np.array([0, 1])) is None
        assert draws.weights(np.array([0, 1])) is None


def test_settings_are_bounded() -> None:
    for wrong in (
        {"draw_by": "clicks"},
        {"sales_days": 0},
        {"sales_smoothing": -1},
        {"least_draws": 0},
        {"least_draws": 1.5},
        {"most_draws": 0.5},
    ):
        with pytest.raises(ValidationError, match=next(iter(wrong))):
            CategoryNetworkSettings.model_validate(wrong)
