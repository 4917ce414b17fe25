"""Reading a sheet of an Excel or OpenDocument workbook."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

import polars as pl
from python_calamine import CalamineError, CalamineWorkbook

_MOST_BYTES = 1 << 30


class WorkbookFault(Exception):
    """The workbook cannot be read, or not in one way only; the message says why, without naming the file."""


def read_workbook(path: Path, sheet: str | None = None) -> pl.DataFrame:
    """Read one sheet, whose first row that is not empty is the header.

    Args:
        path: an .xlsx, .xlsm, .xlsb, .xls or .ods file.
        sheet: which; None where there is one with content, or one named as the file.

    Returns:
        Dates, numbers and flags typed where a whole column is; other columns as texts, in which whole numbers
        have no ".0".

    Raises:
        WorkbookFault: the workbook is damaged, protected or too large, or several sheets may be meant.
    """
    _refuse_too_large(path)
    try:
        workbook = CalamineWorkbook.from_path(path)
        tables = {
            name: workbook.get_sheet_by_name(name).to_python() for name in _sheets(workbook, path, sheet)
        }
    except (CalamineError, OSError) as error:
        raise WorkbookFault(
            "is a workbook that cannot be opened (damaged or protected); save the sheet as CSV with UTF-8"
        ) from error
    filled = {name: rows for name, rows in tables.items() if rows}
    if len(filled) > 1:
        raise WorkbookFault(
            f"is a workbook with several sheets ({', '.join(filled)}); name one as sheet in mapping.yaml"
        )
    if not filled:
        raise WorkbookFault("is a workbook without content")
    ((_, rows),) = filled.items()
    names = [str(name).strip() for name in rows[0]]
    columns: dict[str, pl.Series] = {}
    for position, name in enumerate(names):
        values = [row[position] if position < len(row) else None for row in rows[1:]]
        if name in columns:
            raise WorkbookFault(f"names the column {name!r} twice; rename one of them")
        if name or any(value not in (None, "") for value in values):
            columns[name or f"column_{position + 1}"] = _column(name, values)
    return pl.DataFrame(columns)


def _sheets(workbook: CalamineWorkbook, path: Path, sheet: str | None) -> Sequence[str]:
    names = workbook.sheet_names
    if sheet is not None:
        if sheet not in names:
            raise WorkbookFault(
                f"has no sheet {sheet!r}; it has {', '.join(names)}; correct sheet in mapping.yaml"
            )
        return [sheet]
    own = [name for name in names if name.lower() == path.name.split(".")[0].lower()]
    return own or names


def _column(name: str, values: Sequence[object]) -> pl.Series:
    present = [None if value == "" else value for value in values]
    kinds = {type(value) for value in present if value is not None}
    if kinds and kinds <= {datetime, date}:
        moments = [datetime(v.year, v.month, v.day) if type(v) is date else v for v in present]
        return pl.Series(name, moments, dtype=pl.Datetime("ms"))
    if kinds and kinds <= {int, float}:
        numbers = pl.Series(name, present, dtype=pl.Float64)
        whole = bool((numbers.drop_nulls() % 1 == 0).all())
        return numbers.cast(pl.Int64, strict=False) if whole and numbers.abs().max() < 2**53 else numbers  # type: ignore[operator]
    if kinds == {bool}:
        return pl.Series(name, present, dtype=pl.Boolean)
    return pl.Series(name, [None if value is None else _text(value) for value in present], dtype=pl.String)


def _text(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _refuse_too_large(path: Path) -> None:
    """A sheet is read into memory as a whole, so its unpacked size is bounded first."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(part.file_size for part in archive.infolist())
    except zipfile.BadZipFile:
        size = path.stat().st_size
    if size > _MOST_BYTES:
        raise WorkbookFault(
            "is a workbook of more than 1 GiB when unpacked; save the sheet as CSV or Parquet"
        )
