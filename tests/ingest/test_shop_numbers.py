"""Prices, quantities and stock as shops write them."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.numbers import LARGEST, read_numbers
from ingest.settings import IngestSettings
from ingest.shop_tables import IngestError
from ingest.stock_words import read_stock
from tests.ingest.small_shop import ROWS, columns, csv_text, ingest, read, read_events


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (["$ 9.99", "$1,234.50"], [9.99, 1234.5]),
        (["9,99 €", "1.234,50 €", "1.234 €"], [9.99, 1234.5, 1234.0]),
        (["EUR 12", "EUR 1 234,5"], [12.0, 1234.5]),
        (["1'234.50", "0.5"], [1234.5, 0.5]),
        (["12 zł", "9,99 zł"], [12.0, 9.99]),
        (["￥1,234.00"], [1234.0]),
        (["-1,0", "1,00-", "(2,5)", "−3"], [-1.0, -1.0, -2.5, -3.0]),
        (["1,234", "5.5"], [1234.0, 5.5]),
        (["1,234", "5,5"], [1.234, 5.5]),
        (["1.234.567", "12"], [1234567.0, 12.0]),
        (["1.234", "2.5"], [1.234, 2.5]),
        (["0,125", "1.5"], [0.125, 1.5]),
        (["₹1,23,456.50", "₹12,34,567"], [123456.5, 1234567.0]),
        (["1e3", "7"], [1000.0, 7.0]),
        (["NULL", "", "n/a", "3"], [None, None, None, 3.0]),
    ],
)
def test_numbers_in_the_forms_of_shops(texts: list[str], numbers: list[float | None]) -> None:
    read_in, unread = read_numbers(pl.Series("price", texts), "f")
    assert read_in.to_list() == numbers
    assert not unread.any()


@pytest.mark.parametrize(
    "text", ["cheap", "inf", "-Infinity", "1e300", "1,234", "12.34.56", "1,23,4", "--1", "1 or 2"]
)
def test_what_is_no_number_or_has_two_readings_is_counted_not_guessed(text: str) -> None:
    numbers, unread = read_numbers(pl.Series("price", [text]), "f")
    assert (numbers.to_list(), unread.to_list()) == ([None], [True])


def test_the_mapping_names_the_decimal_mark(tmp_path: Path) -> None:
    price = ['"1,234"'] * ROWS
    assert read_events(tmp_path, price=price).events["price"].null_count() == ROWS
    for decimal, expected in ((",", 1.234), (".", 1234.0)):
        mapping = f"events: {{decimal: '{decimal}'}}"
        assert read_events(tmp_path, mapping, price=price).events["price"].to_list() == [expected] * ROWS


def test_several_currencies_in_one_column_are_refused(tmp_path: Path) -> None:
    with pytest.raises(IngestError, match=r"events\.csv: column 'price' .* several currencies \(\$, €\)"):
        read_events(tmp_path, price=["$ 1", "€ 1"] * 5)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(-1e9, 1e9).map(lambda value: round(value, 2)), min_size=1, max_size=20))
def test_any_shops_notation_gives_the_same_numbers(values: list[float]) -> None:
    english = [f"{value:,.2f}" for value in values]
    german = [text.translate(str.maketrans(",.", ".,")) for text in english]
    for texts in (english, german, [f"$ {text}" for text in english], [f"{text} €" for text in german]):
        numbers, unread = read_numbers(pl.Series("price", texts), "f")
        assert numbers.to_list() == pytest.approx(values, abs=0.005)
        assert not unread.any()


def test_unreadable_prices_of_events_are_counted_and_switched_off(tmp_path: Path) -> None:
    dataset = ingest(tmp_path, {"events.csv": csv_text(columns(price=["ask us"] * ROWS))})
    reason = "events.csv: price cannot be read (counts as unknown)"
    assert dataset.manifest.removed[reason] == ROWS
    assert dataset.manifest.examples[reason] == "row 2: aaa aa"
    assert "price" in dataset.manifest.switched_off
    assert any("price" in alarm for alarm in dataset.manifest.alarms)


def test_a_price_beyond_reason_does_not_enter_the_catalogue(tmp_path: Path) -> None:
    items = "item_id,price\nthing0,1e300\nthing1,inf\nthing2,3\n"
    dataset = ingest(tmp_path, {"events.csv": csv_text(columns()), "items.csv": items})
    assert dataset.manifest.removed["items.csv: price cannot be read (counts as unknown)"] == 2
    prices = dataset.catalogue.price
    assert sorted(prices[prices == prices].tolist()) == [3.0]
    assert LARGEST < 3e38


def test_returns_are_seen_behind_decimal_commas(tmp_path: Path) -> None:
    tables = read_events(tmp_path, quantity=['"1,0"', '"-1,0"'] * 5)
    assert tables.removed == {"events.csv: returned or cancelled (quantity not above 0)": 5}


def test_a_quantity_that_cannot_be_read_is_no_purchase(tmp_path: Path) -> None:
    tables = read_events(tmp_path, quantity=["one", *["1"] * (ROWS - 1)])
    assert tables.events.height == ROWS - 1
    assert tables.removed["events.csv: quantity of a purchase cannot be read (rows left out)"] == 1
    views = read_events(tmp_path, event=["view"] * ROWS, quantity=["one", *["1"] * (ROWS - 1)])
    assert views.events.height == ROWS


def test_quantities_that_mostly_cannot_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(IngestError, match="purchases and returns cannot be told apart"):
        read_events(tmp_path, quantity=["one"] * ROWS)


def test_positions_must_be_whole(tmp_path: Path) -> None:
    tables = read_events(tmp_path, position=["3", "3.0", "1.5", "top", *["1"] * (ROWS - 4)])
    assert tables.events["position"].to_list()[:4] == [3, 3, None, None]
    assert tables.removed == {"events.csv: position cannot be read (counts as unknown)": 2}


def test_a_lines_total_is_divided_by_its_quantity(tmp_path: Path) -> None:
    mapping = "events: {columns: {line_total: amount}}"
    tables = read_events(tmp_path, mapping, amount=["10,00 €".replace(",", ".")] * ROWS, quantity=[4] * ROWS)
    assert tables.events["price"].to_list() == [2.5] * ROWS
    with pytest.raises(IngestError, match="line_total but no quantity"):
        read_events(tmp_path, mapping, amount=[10] * ROWS)


STOCK = {
    "instock": True, "outofstock": False, "in stock": True, "Out of Stock": False, "in_stock": True,
    "out_of_stock": False, "onbackorder": True, "preorder": True, "https://schema.org/InStock": True,
    "http://schema.org/OutOfStock": False, "SoldOut": False, "discontinued": False, "17": True, "0": False,
    "-3": False, "2.0": True, "1,5": True, "10+": True, ">10": True, "TRUE": True, "No": False,
    "auf Lager": True, "ausverkauft": False, "<5": None, "perhaps": None, "": None, "NULL": None,
}  # fmt: skip


def test_stock_words_and_counts() -> None:
    stock, unread = read_stock(pl.Series("in_stock", list(STOCK)), "f", {})
    assert dict(zip(STOCK, stock.to_list(), strict=True)) == STOCK
    assert unread.sum() == 2


def test_unknown_stock_does_not_sell_where_the_column_exists(tmp_path: Path) -> None:
    items = "item_id,in_stock\nthing0,instock\nthing1,perhaps\nthing2,\n"
    files = {"events.csv": csv_text(columns()), "items.csv": items}
    dataset = ingest(tmp_path, files)
    ids = [f"thing{number}" for number in range(4)]
    assert dataset.catalogue.in_stock[dataset.catalogue.dense(ids)].tolist() == [True, False, False, False]
    assert any("stock of 3 of 4 items is unknown" in alarm for alarm in dataset.manifest.alarms)
    sold = ingest(tmp_path, files, IngestSettings(unknown_stock_sells=True))
    assert sold.catalogue.in_stock[sold.catalogue.dense(ids)].all()
    without = ingest(tmp_path, files | {"items.csv": "item_id,brand\nthing0,x\n"})
    assert without.catalogue.in_stock[1:].all()


def test_the_shops_own_stock_words(tmp_path: Path) -> None:
    files = {
        "events.csv": csv_text(columns()),
        "items.csv": "item_id,in_stock\nthing0,Da\nthing1,Weg\n",
    }
    with pytest.raises(IngestError, match=r"not one value of in_stock .*\(row 2: Aa\).*stock_words"):
        read(tmp_path, files)
    tables = read(tmp_path, files | {"mapping.yaml": "items: {stock_words: {da: true, weg: false}}"})
    assert tables.items is not None
    assert tables.items["in_stock"].to_list() == [True, False]


def test_a_mapped_quantity_needs_no_column_of_our_name(tmp_path: Path) -> None:
    mapping = "events: {columns: {quantity: Menge}}"
    tables = read_events(tmp_path, mapping, Menge=["one", "-1", *["2"] * (ROWS - 2)])
    assert tables.events["quantity"].to_list() == [2.0] * (ROWS - 2)
    assert tables.removed["events.csv: quantity of a purchase cannot be read (rows left out)"] == 1
    assert tables.removed["events.csv: returned or cancelled (quantity not above 0)"] == 1
