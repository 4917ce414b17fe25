import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from ingest.bands import decile_bands
from ingest.catalogue_columns import catalogue_content
from ingest.dense_ids import DenseIds
from snapshot.event_codes import IMPRESSION, PURCHASE, VIEW
from snapshot.item_columns import ITEM_COLUMNS

IDS = DenseIds(pl.Series("item_id", ["a", "b", "c"]))
VALID_FROM = 100


def events(*rows: tuple[int, int, int, int], prices: list[float | None] | None = None) -> pl.DataFrame:
    schema = {"user": pl.Int32, "item": pl.Int32, "event": pl.UInt8, "ts": pl.Int64}
    table = pl.DataFrame(rows, schema=schema, orient="row")
    return table if prices is None else table.with_columns(pl.Series("price", prices, dtype=pl.Float64))


def test_popularity_counts_users_before_the_cut_and_no_impressions() -> None:
    content = catalogue_content(
        IDS,
        None,
        events(
            (1, 1, VIEW, 99), (1, 1, PURCHASE, 50), (2, 1, VIEW, 1), (3, 1, VIEW, 100), (1, 2, IMPRESSION, 1),
            (1, 3, VIEW, 200),
        ),
        VALID_FROM,
    )  # fmt: skip
    np.testing.assert_allclose(content.columns["popularity"], np.log1p([0, 2, 0, 0]), rtol=1e-6)
    assert content.columns["popularity_band"].tolist() == [0, 1, 0, 0]


def test_names_are_coded_in_order_and_unknown_is_zero() -> None:
    items = pl.DataFrame({"item_id": ["c", "a"], "category": ["tea", "mugs"], "title": ["Green tea", None]})
    content = catalogue_content(IDS, items, events((1, 1, VIEW, 1)), VALID_FROM)
    assert content.names["category"] == ["mugs", "tea"]
    assert content.columns["category"].tolist() == [0, 1, 0, 2]
    assert content.names["brand"] == []
    assert content.columns["title"] == ["", "", "", "Green tea"]
    known = {name: column for name, column in ITEM_COLUMNS.items() if not column.later}
    assert list(content.columns) == list(known)
    assert all(np.asarray(content.columns[n]).dtype.kind == c.dtype.kind for n, c in known.items())
    assert {len(column) for column in content.columns.values()} == {4}


def test_absent_stock_and_adult_flags_mean_for_sale_to_all_but_the_unknown_item() -> None:
    items = pl.DataFrame({"item_id": ["a", "b"], "in_stock": [False, None], "adult": [True, None]})
    content = catalogue_content(IDS, items, events((1, 1, VIEW, 1)), VALID_FROM)
    assert content.columns["in_stock"].tolist() == [False, False, True, True]
    assert content.columns["adult"].tolist() == [False, True, False, False]


def test_prices_come_from_the_items_else_from_events_before_the_cut_else_from_the_first() -> None:
    items = pl.DataFrame({"item_id": ["a", "b", "c"], "price": [9.0, None, None]})
    rows = (
        [(1, 1, PURCHASE, 1)]
        + [(1, 2, PURCHASE, ts) for ts in (1, 2, 3, 150)]
        + [(1, 3, PURCHASE, ts) for ts in (200, 150)]
    )
    content = catalogue_content(
        IDS, items, events(*rows, prices=[5.0, 1.0, 2.0, 4.0, 99.0, 8.0, 7.0]), VALID_FROM
    )
    np.testing.assert_array_equal(content.columns["price"], np.array([np.nan, 9, 2, 7], np.float32))


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=60))
def test_bands_rise_with_the_value_and_cover_one_to_ten(values: list[float]) -> None:
    column = np.array(values)
    bands = decile_bands(column, np.ones(len(column), dtype=bool))
    assert bands.dtype == np.int32
    assert bands.min() >= 1
    assert bands.max() <= 10
    order = np.argsort(column)
    assert (np.diff(bands[order]) >= 0).all()
    for value in set(values):
        assert len(set(bands[column == value].tolist())) == 1


def test_a_hundred_values_fall_into_ten_equal_bands() -> None:
    assert np.bincount(decile_bands(np.arange(100.0), np.ones(100, dtype=bool))).tolist() == [0] + [10] * 10


def test_unknown_values_have_band_zero() -> None:
    assert decile_bands(np.array([np.nan, 1.0]), np.array([False, True])).tolist() == [0, 1]
    assert decile_bands(np.array([np.nan]), np.array([False])).tolist() == [0]
