import polars as pl
import pytest

from ingest.shop_tables import IngestError
from ingest.usable_events import id_column, keep_usable
from snapshot.event_codes import PURCHASE, VIEW

NAMES = {"pv": "view", "buy": "purchase", "remove": "ignore"}
LATEST = 2_000_000_000_000


def events(**columns: list[object]) -> pl.DataFrame:
    rows = max(map(len, columns.values()))
    defaults = {
        "user_id": ["u"] * rows,
        "item_id": ["i"] * rows,
        "event": ["pv"] * rows,
        "ts_ms": [1_000] * rows,
    }
    return pl.DataFrame(defaults | columns)


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("user_id", None, "no user"),
        ("user_id", "", "no user"),
        ("item_id", None, "no item"),
        ("event", None, "no event name"),
        ("event", "wink", "unknown event 'wink'"),
        ("event", "remove", "event not used"),
        ("ts_ms", None, "no readable time"),
        ("ts_ms", 0, "time before 1970"),
        ("ts_ms", LATEST + 1, "time in the future"),
    ],
)
def test_each_fault_is_counted_by_its_reason(column: str, value: object, reason: str) -> None:
    good = {"user_id": "u", "item_id": "i", "event": "pv", "ts_ms": 1_000}[column]
    kept, removed = keep_usable(events(**{column: [good, value, good]}), NAMES, LATEST, "f.csv")
    assert removed == {f"f.csv: {reason}": 1}
    assert kept.height == 2


def test_events_are_coded_whatever_their_case_and_other_columns_kept() -> None:
    kept, removed = keep_usable(events(event=[" PV", "Buy"], colour=["red", None]), NAMES, LATEST, "f")
    assert kept["event"].to_list() == [VIEW, PURCHASE]
    assert kept["colour"].to_list() == ["red", None]
    assert removed == {}


def test_only_purchases_are_returned_by_a_quantity_of_zero_or_less() -> None:
    kept, removed = keep_usable(
        events(event=["buy", "buy", "buy", "pv"], quantity=[-1.0, 0.0, None, 0.0]), NAMES, LATEST, "f"
    )
    assert removed == {"f: returned or cancelled (quantity not above 0)": 2}
    assert kept.height == 2


def test_a_row_is_counted_once_and_rare_unknown_events_together() -> None:
    names = [f"e{number}" for number in range(25)] + ["pv"]
    kept, removed = keep_usable(events(event=names, user_id=[None] + ["u"] * 25), NAMES, LATEST, "f")
    assert kept.height == 1
    assert sum(removed.values()) == 25
    assert removed["f: no user"] == 1
    assert removed["f: other unknown events"] == 4


def test_no_usable_row_is_an_error_with_the_counts() -> None:
    with pytest.raises(IngestError, match=r"f\.csv: no row can be used \(1 × unknown event 'wink'"):
        keep_usable(events(event=["wink"]), NAMES, LATEST, "f.csv")
    with pytest.raises(IngestError, match="no rows"):
        keep_usable(events(event=["pv"]).clear(), NAMES, LATEST, "f.csv")


def test_ids_keep_their_form() -> None:
    assert id_column(pl.Series(["007", "", " x"])).to_list() == ["007", None, " x"]
    assert id_column(pl.Series([13085.0, None, float("nan")])).to_list() == [13085, None, None]
    assert id_column(pl.Series([1.5])).to_list() == ["1.5"]
    assert id_column(pl.Series([7], dtype=pl.Int32)).dtype == pl.Int64
    assert id_column(pl.Series([2**64 - 1], dtype=pl.UInt64)).to_list() == [str(2**64 - 1)]
