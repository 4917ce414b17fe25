"""A report as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from experiments.effects import Difference
from experiments.report import METRICS, Report, ReportedArm, ReportedEstimate

_MISSING = "–"


def report_table(report: Report) -> RenderableType:
    """Warnings, each arm's figures, and the differences from the control."""
    return Group(*_parts(report))


def _parts(report: Report) -> Iterator[RenderableType]:
    yield Text(
        f"{report.experiment}: answers from {_day(report.first_ms)} to {_day(report.last_ms)} UTC",
        style="bold",
    )
    for warning in report.warnings:
        yield Text(f"! {warning}", style="yellow")
    for refused, why in report.refused.items():
        yield Text(f"REFUSED {refused}: {why}", style="bold red")
    arms = Table("arm", box=None, pad_edge=False)
    for column in ("users", "answers", "impressions", "clicks", "purchases", *METRICS.values()):
        arms.add_column(column, justify="right")
    for arm in report.arms:
        arms.add_row(escape(arm.name) + (" (control)" if arm.name == report.control else ""), *_figures(arm))
    yield arms
    changes = Table("arm", "metric", box=None, pad_edge=False)
    for column in ("difference", "95 % interval", "relative", "95 % interval", "p", "95 % while peeking"):
        changes.add_column(column, justify="right")
    for arm in report.arms:
        for metric, change in arm.differences.items():
            if arm.name != report.control:
                changes.add_row(escape(arm.name), METRICS[metric], *_changes(metric, change))
    if changes.row_count:
        yield Text()
        yield changes
    if report.mismatch_p is not None:
        yield Text(f"\nshoppers divided as configured: p = {report.mismatch_p:.3g}")


def _figures(arm: ReportedArm) -> Iterator[str]:
    for count in (arm.users, arm.answers, arm.impressions, arm.clicks, arm.purchases):
        yield f"{count:,}"
    for metric, estimate in arm.metrics.items():
        yield _estimate(metric, estimate)


def _estimate(metric: str, estimate: ReportedEstimate) -> str:
    if estimate.value is None or estimate.low is None:
        return _MISSING
    return f"{_value(metric, estimate.value)} ± {_value(metric, estimate.value - estimate.low)}"


def _changes(metric: str, change: Difference | None) -> list[str]:
    if change is None:
        return [_MISSING] * 6
    return [
        _change(metric, change.value),
        f"{_change(metric, change.low)} … {_change(metric, change.high)}",
        _MISSING if change.relative is None else f"{change.relative:+.2%}",
        _MISSING
        if change.relative_low is None
        else f"{change.relative_low:+.2%} … {change.relative_high:+.2%}",
        f"{change.p_value:.3g}",
        f"{_change(metric, change.low_peeking)} … {_change(metric, change.high_peeking)}",
    ]


def _value(metric: str, value: float) -> str:
    return f"{value:.2f}" if metric == "gmv_per_user" else f"{value:.3%}"


def _change(metric: str, value: float) -> str:
    """A difference; of rates in percentage points."""
    return f"{value:+.2f}" if metric == "gmv_per_user" else f"{100 * value:+.3f} pp"


def _day(unix_ms: int) -> str:
    return datetime.fromtimestamp(unix_ms / 1_000, UTC).strftime("%Y-%m-%d %H:%M")
