"""Reading CSV and Parquet files, and saying where one is broken."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from ingest.shop_tables import IngestError

CSV_SUFFIXES = (".csv", ".tsv")
PARQUET_SUFFIXES = (".parquet", ".pq")
TABLE_SUFFIXES = CSV_SUFFIXES + PARQUET_SUFFIXES


class UnreadableFile(IngestError):
    """A file cannot be read; the message names the file, the row (header = row 1) and the column."""

    def __init__(self, path: Path, row: int | None, column: str | None, fault: str) -> None:
        """`row` and `column` are None where the fault is not in one of them."""
        self.path = path
        self.row = row
        self.column = column
        where = "".join(
            f", {name} {value}" for name, value in (("row", row), ("column", column)) if value is not None
        )
        super().__init__(f"{path}{where}: {fault}")


def read_table(
    path: Path,
    header: Sequence[str] | None = None,
    dtypes: Mapping[str, pl.DataType | type[pl.DataType]] | None = None,
    rows: pl.Expr | None = None,
) -> pl.DataFrame:
    """Read a CSV, TSV or Parquet file in one pass, keeping no more of it than asked for.

    CSV values stay strings, so that ids such as "00123" survive; empty values become null. Categorical and
    enumerated Parquet columns become strings.

    Args:
        path: the file.
        header: column names of a CSV file that has no header line.
        dtypes: types to read columns as; values that do not fit become null.
        rows: a filter on the columns as they stand in the file.

    Raises:
        UnreadableFile: the file is missing, empty, not UTF-8, or a line has another number of values than
            the header.
    """
    if not path.is_file():
        raise UnreadableFile(path, None, None, "there is no such file")
    suffix = path.suffix.lower()
    if suffix not in TABLE_SUFFIXES:
        raise UnreadableFile(path, None, None, f"is neither CSV nor Parquet ({', '.join(TABLE_SUFFIXES)})")
    separator = "\t" if suffix == ".tsv" else ","
    try:
        if suffix in PARQUET_SUFFIXES:
            table = pl.scan_parquet(path, glob=False)
        else:
            table = pl.scan_csv(
                path,
                separator=separator,
                has_header=header is None,
                new_columns=list(header) if header else None,
                infer_schema=False,
                glob=False,
            )
        if rows is not None:
            table = table.filter(rows)
        casts = [pl.col(name).cast(dtype, strict=False) for name, dtype in (dtypes or {}).items()]
        texts = pl.col(pl.Categorical, pl.Enum).cast(pl.String)
        return table.with_columns(texts).with_columns(casts).collect(engine="streaming")
    except (pl.exceptions.PolarsError, OSError) as error:
        if suffix in PARQUET_SUFFIXES:
            raise UnreadableFile(path, None, None, f"is no readable Parquet file ({error})") from error
        raise _located(path, separator, header) or UnreadableFile(path, None, None, str(error)) from error


def _located(path: Path, separator: str, header: Sequence[str] | None) -> UnreadableFile | None:
    """Find the first line that is not UTF-8 or has another number of values than the header."""
    columns = list(header) if header else None
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                before = line[: error.start].decode(errors="replace").count(separator)
                name = columns[before] if columns and before < len(columns) else str(before + 1)
                return UnreadableFile(path, number, name, "is not UTF-8; save the file as UTF-8")
            if columns is None:
                columns = next(csv.reader([line.decode().removeprefix("\ufeff")], delimiter=separator), [])
    if not columns:
        return UnreadableFile(path, 1, None, "the file is empty")
    with path.open(encoding="utf-8-sig", newline="") as text:
        reader = csv.reader(text, delimiter=separator)
        for values in reader:
            if values and len(values) != len(columns):
                shared = min(len(values), len(columns))
                name = columns[shared] if shared < len(columns) else columns[-1]
                fault = f"has {len(values)} values where the header has {len(columns)}"
                return UnreadableFile(path, reader.line_num, name, fault)
    return None
