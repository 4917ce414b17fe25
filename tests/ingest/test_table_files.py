from pathlib import Path

import polars as pl
import pytest

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
