import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from ingest.dense_ids import by_first_appearance, compact

EVENTS = st.lists(
    st.tuples(st.sampled_from(["b", "a", "d", "c"]), st.integers(0, 5)), min_size=1, max_size=30
)


def frame(rows: list[tuple[str, int]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"item_id": pl.String, "ts_ms": pl.Int64}, orient="row")


@given(EVENTS)
def test_ids_are_numbered_by_first_appearance_then_id_whatever_the_order_of_rows(
    rows: list[tuple[str, int]],
) -> None:
    encoded, ids = by_first_appearance(frame(rows), "item_id", "item")
    first = {item: min(ts for other, ts in rows if other == item) for item, _ in rows}
    expected = sorted(first, key=lambda item: (first[item], item))
    assert ids.ids.to_list() == expected
    assert encoded["item"].to_list() == [expected.index(item) + 1 for item, _ in rows]
    assert encoded["item"].dtype == pl.Int32
    assert by_first_appearance(frame(rows[::-1]), "item_id", "item")[1].ids.to_list() == expected


@given(EVENTS, st.sets(st.sampled_from(["a", "b", "c", "d"])), st.lists(st.sampled_from(["a", "x", "y"])))
def test_compaction_keeps_every_event_s_id(
    rows: list[tuple[str, int]], gone: set[str], further: list[str]
) -> None:
    encoded, ids = by_first_appearance(frame(rows), "item_id", "item")
    names = [item for item, _ in rows if item not in gone]
    kept = encoded.filter(pl.Series([item not in gone for item, _ in rows]))
    compacted, now = compact(kept, "item", ids, pl.Series("item_id", further, dtype=pl.String))
    assert [now.ids[index - 1] for index in compacted["item"]] == names
    with_events = len(set(names))
    assert sorted(now.ids[:with_events]) == sorted(set(names))
    assert now.ids[with_events:].to_list() == sorted(set(further) - set(names))
    assert len(now) == with_events + len(set(further) - set(names))


def test_number_ids_become_text() -> None:
    events = pl.DataFrame({"user_id": [20, 3], "ts_ms": [1, 1]})
    encoded, ids = by_first_appearance(events, "user_id", "user")
    assert ids.ids.to_list() == ["20", "3"]
    assert encoded["user"].to_list() == [1, 2]
