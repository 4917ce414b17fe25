"""Prints pages side by side, as wide as the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

NARROWEST = 22
"""Least cells of a column; where more do not fit beside each other, the rest follows below."""
_NUMBER = 6
_PADDING = 2


@dataclass(frozen=True)
class TitledColumn:
    """One page: its heading, the titles of its items in page order, and which of them get a mark."""

    heading: str
    titles: Sequence[str]
    marked: Sequence[bool]


@dataclass(frozen=True)
class Sheet:
    """Pages to read beside each other."""

    title: str
    columns: Sequence[TitledColumn]


def show_sheet(console: Console, sheet: Sheet) -> None:
    """Print the sheet; titles are cut to what fits, and a mark is a `*` before the title."""
    abreast = max(1, (console.width - _NUMBER) // (NARROWEST + _PADDING))
    parts = [sheet.columns[at : at + abreast] for at in range(0, len(sheet.columns), abreast)]
    console.print(sheet.title, style="bold", markup=False, highlight=False)
    for columns in parts:
        width = (console.width - _NUMBER) // len(columns) - _PADDING
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
        table.add_column("", justify="right", no_wrap=True, width=_NUMBER - _PADDING - 1)
        for column in columns:
            table.add_column(escape(column.heading), no_wrap=True, overflow="ellipsis", width=width)
        for row in range(max((len(column.titles) for column in columns), default=0)):
            table.add_row(str(row + 1), *(_cell(column, row) for column in columns))
        console.print(table)


def _cell(column: TitledColumn, row: int) -> str:
    if row >= len(column.titles):
        return ""
    return escape(f"{'* ' if column.marked[row] else '  '}{column.titles[row]}")
