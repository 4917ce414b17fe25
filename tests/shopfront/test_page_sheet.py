"""Pages side by side, at every width."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from shopfront.page_sheet import Sheet, TitledColumn, show_sheet

LONG = "A title that is far longer than any column of a terminal has room for, and then some"


def shown(sheet: Sheet, width: int) -> list[str]:
    console = Console(width=width, file=io.StringIO())
    show_sheet(console, sheet)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize("width", [30, 60, 80, 120, 200])
def test_nothing_is_wider_than_the_terminal_and_no_column_is_lost(width: int) -> None:
    columns = [TitledColumn(f"page {n}", [LONG, f"title {n} [/] [red]"], [n == 1, False]) for n in range(6)]
    lines = shown(Sheet("shopper [/] 7", columns), width)
    assert lines[0] == "shopper [/] 7"
    assert max(len(line) for line in lines) <= width
    text = "\n".join(lines)
    for n in range(6):
        assert f"page {n}" in text
        assert f"title {n} [/]" in text
    assert text.count("* A title") == 1


def test_a_shorter_page_ends_and_the_others_go_on() -> None:
    columns = [
        TitledColumn("left", ["tea", "coffee", "milk"], [True, False, False]),
        TitledColumn("right", ["bread"], [False]),
    ]
    rows = [line.split() for line in shown(Sheet("both", columns), 80) if line.strip()[:1].isdigit()]
    assert rows == [["1", "*", "tea", "bread"], ["2", "coffee"], ["3", "milk"]]
