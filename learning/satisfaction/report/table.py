"""The report of satisfaction as tables for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from rich.console import Group as Lines
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from learning.satisfaction.dimensions import DIMENSIONS
from learning.satisfaction.report.alerts import Alert
from learning.satisfaction.report.groups import ALL, KINDS
from learning.satisfaction.report.ratings import OVERALL
from learning.satisfaction.report.report import SatisfactionReport
from learning.satisfaction.report.summary import GroupSummary

_COLUMNS = ("ratings", "satisfied", "95 %", "mean", "95 %", "detractors")


def satisfaction_table(
    report: SatisfactionReport, dimension: str = OVERALL, most: int = 10
) -> RenderableType:
    """Alerts and warnings, then each kind of group in one dimension, at most `most` groups of a kind."""
    return Lines(*_parts(report, dimension, most))


def alert_line(alert: Alert) -> str:
    """An alert in a sentence."""
    where = f"in scene {alert.scene}" if alert.scene else "in all"
    return (
        f"{alert.dimension} {where}: {alert.satisfied / alert.ratings:.0%} of {alert.ratings:,} shoppers are "
        f"satisfied, after {alert.satisfied_before / alert.ratings_before:.0%} of {alert.ratings_before:,} "
        f"before (p = {alert.p_value:.2g}, needed below {alert.level:.2g})"
    )


def _parts(report: SatisfactionReport, dimension: str, most: int) -> Iterator[RenderableType]:
    yield Text(
        f"{report.shoppers:,} shoppers rated {report.said:,} times from {_day(report.first_ms)} to "
        f"{_day(report.last_ms)} UTC",
        style="bold",
    )
    for warning in report.warnings:
        yield Text(f"! {warning}", style="yellow")
    for alert in report.look.alerts:
        yield Text(f"ALERT {alert_line(alert)}", style="bold red")
    if not report.look.alerts:
        yield Text(
            f"no drop found in {report.look.comparisons} comparisons of the last days with those before"
        )
    dimensions = _table("dimension")
    for name in (OVERALL, *DIMENSIONS.values()):
        for group in report.of(ALL, name):
            dimensions.add_row(name, *_figures(group))
    yield Text()
    yield dimensions
    for kind in KINDS[1:]:
        groups = report.of(kind, dimension)
        shown = groups[-most:] if kind == "week" else groups[:most]
        if not shown:
            continue
        table = _table(kind if dimension == OVERALL else f"{kind} ({dimension})")
        for group in shown:
            table.add_row(escape(group.name), *_figures(group))
        if len(groups) > len(shown):
            table.add_row(f"… and {len(groups) - len(shown):,} more")
        yield Text()
        yield table


def _table(first: str) -> Table:
    table = Table(first, box=None, pad_edge=False)
    for column in _COLUMNS:
        table.add_column(column, justify="right")
    table.add_column("what detractors say")
    table.add_column("items")
    table.add_column("")
    return table


def _figures(group: GroupSummary) -> Iterator[str]:
    yield f"{group.ratings:,}"
    yield f"{group.csat:.0%}"
    yield f"{group.csat_low:.0%} … {group.csat_high:.0%}"
    yield f"{group.mean:.2f}"
    yield f"{group.mean_low:.2f} … {group.mean_high:.2f}"
    yield f"{group.detractors:.0%}"
    yield _counts(group.reasons)
    yield _counts(group.items)
    yield "few" if group.few else ""


def _counts(counts: Mapping[str, int]) -> str:
    return escape(", ".join(f"{name} {count}" for name, count in list(counts.items())[:3]))


def _day(unix_ms: int) -> str:
    return datetime.fromtimestamp(unix_ms / 1_000, UTC).strftime("%Y-%m-%d")
