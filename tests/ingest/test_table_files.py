from pathlib import Path

import polars as pl
import pytest

from ingest.file_bytes import FileBytes, recognise
from ingest.table_files import UnreadableFile, read_table


def test_csv_values_stay_text_and_empty_ones_become_null(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('id,name\n00123,"a, b"\n7,\n', encoding="utf-8")
    assert read_table(path).rows() == [("00123", "a, b"), ("7", None)]


def test_a_byte_order_mark_and_windows_line_ends_are_no_part_of_the_data(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"\xef\xbb\xbfid,name\r\n1,x\r\n")
    assert read_table(path).to_dicts() == [{"id": "1", "name": "x"}]


def test_tabs_separate_tsv_and_a_header_may_be_given(tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    path.write_text("1\tx\n2\ty\n", encoding="utf-8")
    assert read_table(path, header=("id", "name")).to_dicts() == [
        {"id": "1", "name": "x"},
        {"id": "2", "name": "y"},
    ]


def test_types_and_filters_apply_while_reading(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id,name\n1,x\nno,x\n3,y\n", encoding="utf-8")
    table = read_table(path, dtypes={"id": pl.Int64}, rows=pl.col("name") == "x")
    assert table["id"].to_list() == [1, None]


def test_parquet_categories_become_text(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pl.DataFrame({"event": ["pv"]}, schema={"event": pl.Categorical}).write_parquet(path)
    assert read_table(path).schema == {"event": pl.String}


@pytest.mark.parametrize(
    ("content", "row", "column", "fault"),
    [
        (b"id,name\n1,x\n2,y,z\n", 3, "name", "3 values where the header has 2"),
        (b"id,name\n1,x\n2,\xe4\n", 3, "name", "UTF-8"),
        (b"", 1, None, "empty"),
    ],
)
def test_a_broken_csv_names_file_row_and_column(
    tmp_path: Path, content: bytes, row: int, column: str | None, fault: str
) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match=fault) as failure:
        read_table(path)
    assert (failure.value.path, failure.value.row, failure.value.column) == (path, row, column)
    assert str(failure.value).startswith(f"{path}, row {row}")


def test_a_torn_parquet_an_unknown_ending_and_an_absent_file_are_named(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"PAR1 torn")
    (tmp_path / "t.xlsx").write_bytes(b"")
    for name, fault in (
        ("t.parquet", "Parquet"),
        ("t.xlsx", "is no workbook"),
        ("none.csv", "no such file"),
    ):
        with pytest.raises(UnreadableFile, match=fault) as failure:
            read_table(tmp_path / name)
        assert name in str(failure.value)


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
@pytest.mark.parametrize("cut", [True, False])
def test_a_file_that_changes_while_it_is_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, cut: bool
) -> None:
    path = tmp_path / name
    table = pl.DataFrame({"id": ["1"] * 100})
    table.write_csv(path) if name == "t.csv" else table.write_parquet(path)

    def recognised_then_changed(path: Path, encoding: str | None) -> FileBytes:
        file = recognise(path, encoding)
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2] if cut else content + content)
        return file

    monkeypatch.setattr("ingest.table_files.recognise", recognised_then_changed)
    with pytest.raises(UnreadableFile, match=f"{name}: changed while it was read"):
        read_table(path)


def test_a_panic_of_the_reader_is_an_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.parquet"
    pl.DataFrame({"id": ["1"]}).write_parquet(path)

    def panic(*arguments: object, **named: object) -> None:
        raise pl.exceptions.PanicException("range end index 9 out of range for slice of length 4")

    monkeypatch.setattr(pl.LazyFrame, "collect", panic)
    with pytest.raises(UnreadableFile, match="is no readable Parquet file"):
        read_table(path)
