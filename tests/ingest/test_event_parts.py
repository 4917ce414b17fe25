"""A log of several Parquet files is read as the same rows in one file are, wherever the files are read."""

from __future__ import annotations

import tempfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.cleaning.rules import clean
from ingest.importers import generic
from ingest.ingest_folder import ingest_folder
from ingest.settings import IngestSettings
from ingest.shop_tables import IngestError
from snapshot.partition_work import IN_THIS_PROCESS, PartitionWork
from testing.divided_work import DividedWork
from tests.ingest.small_shop import NOW, START
from tests.ingest.test_cleaning import STRICT, logs

_ROWS = st.fixed_dictionaries(
    {
        "user_id": st.sampled_from(["ann", " ann", "bob", "12.0", "7.0", "NULL", None]),
        "item_id": st.sampled_from([1, 2, 3, None]),
        "event": st.sampled_from(["view", "purchase", "cart", "unheard of", None]),
        "timestamp": st.integers(START, START + 5) | st.none(),
        "quantity": st.sampled_from([1.0, 2.0, -1.0, float("nan"), None]),
    }
)
_SCHEMA = {
    "user_id": pl.String,
    "item_id": pl.Int64,
    "event": pl.String,
    "timestamp": pl.Int64,
    "quantity": pl.Float64,
    "event_id": pl.String,
}
_SURE = {"user_id": "eve", "item_id": 9, "event": "view", "timestamp": START, "quantity": None}


def parts_of(folder: Path, rows: pl.DataFrame, cuts: list[int]) -> Path:
    """The rows as a folder of files that end at the cuts, as Spark writes them."""
    (folder / "events.parquet").mkdir(parents=True)
    (folder / "events.parquet" / "_SUCCESS").touch()
    for number, (start, stop) in enumerate(zip([0, *cuts], [*cuts, rows.height], strict=True)):
        rows[start:stop].write_parquet(folder / "events.parquet" / f"part-{number:05}.parquet")
    return folder


def one_file(folder: Path, rows: pl.DataFrame) -> Path:
    folder.mkdir(parents=True)
    rows.write_parquet(folder / "events.parquet")
    return folder


@settings(max_examples=8)
@given(st.lists(_ROWS, max_size=25), st.data())
def test_rows_are_read_as_those_of_one_file(rows, data):
    # Six rows are usable for certain, and times of the parts need not show what all times show.
    sure = [_SURE | {"timestamp": START + at} for at in range(6)]
    everything = pl.DataFrame([*sure, *rows], schema=_SCHEMA)
    everything = everything.select(pl.all().exclude("event_id"))
    if data.draw(st.booleans()):
        ids = st.sampled_from(["a", "b", None])
        drawn = data.draw(st.lists(ids, min_size=len(rows), max_size=len(rows)))
        # A faulty row of the same id before them would be kept in their place.
        drawn = [None] * len(sure) + drawn
        everything = everything.with_columns(pl.Series("event_id", drawn, dtype=pl.String))
    everything = everything.sample(everything.height, shuffle=True, seed=len(rows))
    cuts = sorted(data.draw(st.lists(st.integers(0, everything.height), max_size=4)))
    with tempfile.TemporaryDirectory() as folder:
        # Mostly unreadable times are refused in a file before they are in the log: none are absent here.
        everything = everything.with_columns(pl.col("timestamp").fill_null(START))
        whole = generic.read(one_file(Path(folder) / "one", everything), NOW)
        parted = generic.read(parts_of(Path(folder) / "parts", everything, cuts), NOW, DividedWork(3))
    assert parted.events.equals(whole.events)
    assert parted.rows_read == whole.rows_read
    assert counts(parted.removed) == counts(whole.removed)
    assert counts(parted.changed) == counts(whole.changed)


def counts(of: dict[str, int]) -> dict[str, int]:
    """Without the file's name, which is the folder's for parts."""
    return {reason.split(": ", 1)[1]: count for reason, count in of.items()}


@settings(max_examples=12)
@given(logs(), st.integers(2, 4))
def test_a_log_is_cleaned_the_same_in_ranges_of_shoppers(events, parts):
    whole, parted = (clean(events, STRICT, 5, work=work) for work in (IN_THIS_PROCESS, DividedWork(parts)))
    assert parted.rows.to_list() == whole.rows.to_list()
    assert parted.removed == whole.removed


def test_a_data_set_of_parts_is_that_of_one_file(tmp_path: Path) -> None:
    rows = pl.DataFrame(
        {
            "user_id": [f"u{row * 7 % 11}" for row in range(400)],
            "item_id": [row * 5 % 13 for row in range(400)],
            "event": ["view", "view", "cart", "purchase"] * 100,
            "timestamp": [START + row * 977 for row in range(400)],
            "session_id": [f"s{row // 9}" for row in range(400)],
        }
    )
    whole, parted = (
        ingest_folder(
            folder, tmp_path / f"made of {folder.name}", IngestSettings(), 0, created_at=NOW, work=work
        )
        for folder, work in (
            (one_file(tmp_path / "one", rows), IN_THIS_PROCESS),
            (parts_of(tmp_path / "parts", rows, [50, 60, 300]), DividedWork(3)),
        )
    )
    assert parted.events().collect().equals(whole.events().collect())
    assert parted.users().equals(whole.users())
    assert parted.items().equals(whole.items())
    assert parted.manifest.rows == whole.manifest.rows
    assert parted.manifest.cuts == whole.manifest.cuts
    catalogues = [sorted((made.path / "catalogue").iterdir()) for made in (whole, parted)]
    assert [path.name for path in catalogues[0]] == [path.name for path in catalogues[1]]
    for one, other in zip(*catalogues, strict=True):
        assert one.read_bytes() == other.read_bytes()


def refused(folder: Path, work: PartitionWork = IN_THIS_PROCESS) -> str:
    with pytest.raises(IngestError) as error:
        generic.read(folder, NOW, work)
    return str(error.value)


def rows_of(**changed: list[object]) -> pl.DataFrame:
    usual: dict[str, list[object]] = {
        "user_id": ["a", "b"],
        "item_id": ["x", "y"],
        "event": ["view", "view"],
        "timestamp": [START, START + 60],
    }
    return pl.DataFrame(usual | changed)


def test_a_part_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    folder = parts_of(tmp_path, pl.concat([rows_of()] * 500), [300])
    torn = folder / "events.parquet" / "part-00001.parquet"
    content = torn.read_bytes()
    torn.write_bytes(content[: len(content) // 2])
    assert "part-00001.parquet: is no readable Parquet file" in refused(folder)
    torn.write_bytes(b"\0" * 200 + content[200:])
    assert "part-00001.parquet: is" in refused(folder)


def test_what_one_part_would_decide_otherwise_than_the_log_is_refused(tmp_path: Path) -> None:
    texts = parts_of(tmp_path / "texts", rows_of(timestamp=["2024-03-01", "2024-03-02"]), [1])
    assert "timestamp must have a type in a log of several files" in refused(texts)
    fractions = parts_of(tmp_path / "ids", rows_of(user_id=[1.0, 2.0]), [1])
    assert "user_id must have a type" in refused(fractions)
    units = parts_of(tmp_path / "units", rows_of(timestamp=[START, START * 1_000]), [1])
    assert "times look like the unit 'ms', those of part-00000.parquet like 's'" in refused(units)
    columns = parts_of(tmp_path / "columns", rows_of(), [1])
    rows_of(price=[1.0, 2.0]).write_parquet(columns / "events.parquet" / "part-00001.parquet")
    assert "part-00001.parquet: has other columns or types than part-00000.parquet (price)" in refused(
        columns
    )
