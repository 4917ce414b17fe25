"""Reading CSV, Parquet and Excel files, and saying where one is broken."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from ingest.csv_dialect import HeaderFault, find_dialect
from ingest.csv_tables import CsvFault, read_csv
from ingest.file_bytes import FileBytes, recognise
from ingest.shop_tables import IngestError

CSV_SUFFIXES = tuple(
    f"{text}{packed}" for text in (".csv", ".tsv", ".txt") for packed in ("", ".gz", ".zst", ".bz2")
)
PARQUET_SUFFIXES = (".parquet", ".pq")
WORKBOOK_SUFFIXES = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
TABLE_SUFFIXES = CSV_SUFFIXES + PARQUET_SUFFIXES + WORKBOOK_SUFFIXES


class UnreadableFile(IngestError):
    """A file cannot be read; the message names the file, the row (header = row 1) and the column."""

    def __init__(self, path: Path, row: int | None, column: str | None, fault: str) -> None:
        """Keep where the fault is and put it into the message."""
        self.path = path
        self.row = row
        self.column = column
        where = "".join(
            f", {name} {value}" for name, value in (("row", row), ("column", column)) if value is not None
        )
        super().__init__(f"{path}{where}: {fault}")


@dataclass(frozen=True)
class FileForm:
    """What is known of a file before it is read.

    Attributes:
        separator: between the values of a CSV file; None finds out.
        encoding: of a CSV file, by Python's name; None finds out.
        sheet: of a workbook; None takes the only one.
        expected: names of columns the file may have, which help to find the separator.
    """

    separator: str | None = None
    encoding: str | None = None
    sheet: str | None = None
    expected: Collection[str] = ()


def read_table(
    path: Path,
    header: Sequence[str] | None = None,
    dtypes: Mapping[str, pl.DataType | type[pl.DataType]] | None = None,
    rows: pl.Expr | None = None,
    form: FileForm = FileForm(),
) -> pl.DataFrame:
    """Read a CSV, Parquet or Excel file in one pass, keeping no more of it than requested.

    What the file is shows in its bytes. CSV may be packed (.gz, .zst, .bz2), UTF-8, UTF-16 or UTF-32, and
    separated by comma, semicolon, tab or bar. Its values stay strings, so that ids such as "00123" survive;
    empty values become null. Categorical and enumerated Parquet columns become strings.

    Args:
        path: the file.
        header: column names of a CSV file that has no header line.
        dtypes: types to read columns as; values that do not fit become null.
        rows: a filter on the columns as they are in the file.
        form: what is known of the file.

    Raises:
        UnreadableFile: the file is missing, empty, no table, not of its encoding, a quote never closes, a
            line has another number of values than the header, or the file changed while it was read.
    """
    if not path.is_file():
        raise UnreadableFile(path, None, None, "there is no such file")
    before = _state(path)
    try:
        table = _read(path, header, dtypes, rows, form)
    except UnreadableFile as error:
        # What is wrong with a half-written file says nothing of the one that it will be.
        raise (_changed(path) if _state(path) != before else error) from error.__cause__
    if _state(path) != before:
        raise _changed(path)
    return table


def _state(path: Path) -> tuple[int, int, int] | None:
    """Which file it is, its bytes and the nanosecond it was written; None where it is gone."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def _changed(path: Path) -> UnreadableFile:
    return UnreadableFile(
        path, None, None, "changed while it was read; begin again when it is written to its end"
    )


def _read(
    path: Path,
    header: Sequence[str] | None,
    dtypes: Mapping[str, pl.DataType | type[pl.DataType]] | None,
    rows: pl.Expr | None,
    form: FileForm,
) -> pl.DataFrame:
    try:
        file = recognise(path, form.encoding)
    except (OSError, EOFError) as error:
        raise UnreadableFile(path, None, None, "cannot be read or unpacked; copy it again") from error
    if file.kind == "other":
        raise UnreadableFile(path, None, None, f"is {file.name}")
    if file.kind == "text" and path.name.lower().endswith(PARQUET_SUFFIXES + WORKBOOK_SUFFIXES):
        kind = "Parquet file" if path.name.lower().endswith(PARQUET_SUFFIXES) else "workbook"
        raise UnreadableFile(path, None, None, f"is no {kind}; bring it as its ending says, or call it .csv")
    if file.kind == "text":
        return _csv(file, header, dtypes or {}, rows, form)
    table = _parquet(path) if file.kind == "parquet" else _workbook(path, form.sheet)
    try:
        if rows is not None:
            table = table.filter(rows)
        casts = [pl.col(name).cast(dtype, strict=False) for name, dtype in (dtypes or {}).items()]
        texts = pl.col(pl.Categorical, pl.Enum).cast(pl.String)
        return table.with_columns(texts).with_columns(casts).collect(engine="streaming")
    except pl.exceptions.ColumnNotFoundError:
        raise
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        # Polars panics at some torn pages; its message is of no use to people.
        raise UnreadableFile(path, None, None, "is no readable Parquet file; write it again") from error


def _csv(
    file: FileBytes,
    header: Sequence[str] | None,
    dtypes: Mapping[str, pl.DataType | type[pl.DataType]],
    rows: pl.Expr | None,
    form: FileForm,
) -> pl.DataFrame:
    usual = "\t" if ".tsv" in file.path.suffixes or ".TSV" in file.path.suffixes else ","
    try:
        dialect = find_dialect(file, usual, form.separator, header, form.expected)
    except HeaderFault as error:
        raise UnreadableFile(file.path, 1, None, str(error)) from error
    except (OSError, EOFError) as error:
        raise UnreadableFile(file.path, None, None, "cannot be unpacked; copy it again") from error
    try:
        return read_csv(file, dialect, dtypes, rows)
    except CsvFault as error:
        raise UnreadableFile(file.path, error.row, error.column, error.fault) from error


def _parquet(path: Path) -> pl.LazyFrame:
    return pl.scan_parquet(path, glob=False)


def _workbook(path: Path, sheet: str | None) -> pl.LazyFrame:
    from ingest.workbooks import WorkbookFault, read_workbook

    try:
        return read_workbook(path, sheet).lazy()
    except WorkbookFault as error:
        raise UnreadableFile(path, None, None, str(error)) from error
