"""Ids that mean the same meet, placeholders are nobody, and small overlap is said aloud."""

from pathlib import Path

import pytest

from ingest.findings import masked
from ingest.shop_tables import IngestError
from tests.ingest.small_shop import ROWS, columns, csv_text, ingest, read, read_events

ITEMS = "item_id,brand\n" + "".join(f"{200 + number},b\n" for number in range(4))


def numbered(form: str) -> list[str]:
    return [form.format(200 + row % 4) for row in range(ROWS)]


@pytest.mark.parametrize(
    "form", ["{} ", " {}", "{}\u00a0", "{}\u200b", "\ufeff{}", "{}\t", "{}.0", '"=""{}"""', "{}.00"]
)
def test_the_same_id_in_another_dress_meets(tmp_path: Path, form: str) -> None:
    for files in (
        {"events.csv": csv_text(columns(item_id=numbered(form))), "items.csv": ITEMS},
        {
            "events.csv": csv_text(columns(item_id=numbered("{}"))),
            "items.csv": "item_id,brand\n" + "".join(f"{form.format(200 + n)},b\n" for n in range(4)),
        },
    ):
        tables = read(tmp_path, files)
        assert tables.items is not None
        assert set(tables.events["item_id"].cast(str)) == {"200", "201", "202", "203"}
        assert set(tables.items["item_id"]) == {"200", "201", "202", "203"}
        assert tables.alarms == []
        assert any("taken off" in reason for reason in tables.changed)


def test_ids_keep_what_may_carry_meaning(tmp_path: Path) -> None:
    ids = ["007", "1.5", "2.0", "a b", "A-1", "7", "1.0", "x", "y", "z"]
    assert read_events(tmp_path, item_id=ids).events["item_id"].to_list() == ids


@pytest.mark.parametrize(
    "word", ["NULL", "None", "nan", "NaN", "\\N", "N/A", "", "  ", "undefined", "<NA>", "(null)"]
)
def test_placeholders_are_no_shopper_and_no_item(tmp_path: Path, word: str) -> None:
    usual = columns()
    for column in ("user_id", "item_id"):
        tables = read_events(tmp_path, **{column: [word, *usual[column][1:]]})
        assert tables.events.height == ROWS - 1
        assert tables.removed["events.csv: no " + column.removesuffix("_id")] == 1


def test_na_is_an_id(tmp_path: Path) -> None:
    assert read_events(tmp_path, user_id=["NA"] * ROWS).events.height == ROWS


def test_placeholders_are_no_attribute(tmp_path: Path) -> None:
    tables = read(
        tmp_path,
        {
            "events.csv": csv_text(columns()),
            "items.csv": "item_id,brand,category,title\nthing0,NULL,None,nan\nthing1,x,y,z\n",
            "users.csv": "user_id,city\nshopper0,\\N\n",
        },
    )
    assert tables.items is not None
    assert tables.users is not None
    assert tables.items.row(0) == ("thing0", None, None, None)
    assert tables.users.row(0) == ("shopper0", None)


def test_ids_longer_than_the_api_takes_are_left_out(tmp_path: Path) -> None:
    usual = columns()
    longest, too_long = "é" * 128, "é" * 129
    tables = read_events(
        tmp_path,
        user_id=[longest, too_long, *usual["user_id"][2:]],
        item_id=[*usual["item_id"][:2], longest, "x" * 257, *usual["item_id"][4:]],
    )
    assert tables.events.height == ROWS - 2
    assert sum(tables.removed.values()) == 2
    items = f"item_id,brand\n{'x' * 257},b\nthing1,b\n"
    described = read(tmp_path, {"items.csv": items}).items
    assert described is not None
    assert described["item_id"].to_list() == ["thing1"]


@pytest.mark.parametrize(
    ("others", "sentence"),
    [
        (["SKU-0", "SKU-1"], "none of the 4 items in events is in items.csv; are these the same ids?"),
        (["thing0", "SKU-1"], "only 1 of the 4 items in events is in items.csv"),
        (["THING0", "Thing1", "THING2", "THING3"], "differ in upper and lower case"),
        (["thing-0", "thing-1", "thing-2", "thing-3"], "differ in signs and blanks"),
    ],
)
def test_a_catalogue_of_other_ids_is_an_alarm(tmp_path: Path, others: list[str], sentence: str) -> None:
    items = "item_id,brand\n" + "".join(f"{id},b\n" for id in others)
    dataset = ingest(tmp_path, {"events.csv": csv_text(columns()), "items.csv": items})
    assert any(sentence in alarm for alarm in dataset.manifest.alarms)


def test_leading_zeros_are_named(tmp_path: Path) -> None:
    tables = read(tmp_path, {"events.csv": csv_text(columns(item_id=numbered("00{}"))), "items.csv": ITEMS})
    assert any("leading zeros" in alarm for alarm in tables.alarms)


def test_letters_that_unicode_writes_in_two_ways_are_named(tmp_path: Path) -> None:
    events = csv_text(columns(item_id=numbered("cafe\u0301-{}")))
    items = "item_id,brand\n" + "".join(f"caf\u00e9-{number},b\n" for number in range(200, 204))
    tables = read(tmp_path, {"events.csv": events, "items.csv": items})
    assert any("how Unicode writes letters with accents" in alarm for alarm in tables.alarms)


def test_users_of_whom_none_meets_are_an_alarm(tmp_path: Path) -> None:
    files = {"events.csv": csv_text(columns()), "users.csv": "user_id,city\nc1,Bonn\n"}
    sentence = "none of the 3 users in events is in users.csv; are these the same ids?"
    assert read(tmp_path, files).alarms == [sentence]


def test_ids_that_a_spreadsheet_rounded_are_an_alarm(tmp_path: Path) -> None:
    tables = read_events(tmp_path, item_id=["4.00639E+12"] * ROWS)
    assert any("rounded" in alarm for alarm in tables.alarms)


def test_no_message_shows_a_shopper(tmp_path: Path) -> None:
    usual = columns()
    secret = "jane.doe@mail.example"
    cases = [
        {"user_id": [secret] * ROWS, "event": ["wink"] * ROWS},
        {"user_id": [secret] * ROWS, "timestamp": ["soon"] * ROWS},
        {"timestamp": [secret] * ROWS},
        {"user_id": [f" {secret}"] * ROWS, "item_id": [""] * ROWS},
        {"event": [secret, *usual["event"][1:]]},
        {"quantity": [secret] * ROWS},
        {"price": [secret, *["1"] * (ROWS - 1)]},
    ]
    for changed in cases:
        try:
            tables = read_events(tmp_path, **changed)
            texts = [*tables.removed, *tables.examples.values(), *tables.alarms]
        except IngestError as error:
            texts = [str(error)]
        assert texts
        for text in texts:
            assert secret not in text
            assert "{'" not in text
            assert "\n" not in text


def test_masked() -> None:
    assert masked("Jane-17 é") == "Aaaa-99 a"
    assert masked("x" * 100) == "a" * 40 + "…"
    assert masked("a\nb") == "a·a"
