"""The report of how a shop does, as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from experiments.business.figures import FIGURES, GMV, Figure, GroupFigures
from experiments.business.report import ALL, BusinessReport

_MISSING = "–"


def business_table(report: BusinessReport) -> RenderableType:
    """Warnings, then one row for each group, by kind."""
    return Group(*_parts(report))


def _parts(report: BusinessReport) -> Iterator[RenderableType]:
    yield Text(f"events from {_day(report.first_ms)} to {_day(report.last_ms)} UTC", style="bold")
    for warning in report.warnings:
        yield Text(f"! {warning}", style="yellow")
    for kind in dict.fromkeys(group.kind for group in report.groups):
        table = Table(kind, box=None, pad_edge=False)
        for column in ("shoppers", f"items {report.shown}", *FIGURES.values()):
            table.add_column(column, justify="right")
        for group in report.groups:
            if group.kind == kind:
                table.add_row("all shoppers" if kind == ALL else escape(group.name), *_figures(group))
        yield Text()
        yield table


def _figures(group: GroupFigures) -> Iterator[str]:
    yield f"{group.shoppers:,}"
    yield f"{group.shown:,}"
    for key in FIGURES:
        yield _figure(key, group.figures[key])


def _figure(key: str, figure: Figure) -> str:
    if figure.value is None or figure.low is None or figure.high is None:
        return _MISSING
    form = "{:.2f}" if key == GMV else "{:.2%}"
    low, value, high = (form.format(each) for each in (figure.low, figure.value, figure.high))
    return f"{value} ({low} … {high})"


def _day(unix_ms: int) -> str:
    return datetime.fromtimestamp(unix_ms / 1_000, UTC).strftime("%Y-%m-%d %H:%M")
