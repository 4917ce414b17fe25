"""A sandbox test's findings as tables in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from evaluation.sandbox.groups import GroupRow
from evaluation.sandbox.sandbox import ClickEstimates, Findings
from foundation.statistics.grouped_ratio import Interval

_STYLES = {"pass": "green", "fail": "red", "not measured": "yellow"}


def print_tested(console: Console, tested: Findings, level: float) -> None:
    """Prints the groups, the off-policy estimates where there are some, and the checks.

    level  probability that the intervals are to cover, for the headings
    """
    if tested.comparison.groups.rows:
        console.print(_groups(tested, level))
    if tested.clicks is not None:
        console.print(_clicks(tested.clicks, level))
    checks = Table(
        title=f"{tested.verdict.subject.text}: {_verdict(tested.verdict.passed)}", title_justify="left"
    )
    for heading in ("check", "outcome", "because"):
        checks.add_column(heading)
    for check in tested.verdict.checks:
        checks.add_row(check.name, f"[{_STYLES[check.outcome]}]{check.outcome}[/]", check.reason)
    console.print(checks)


def _verdict(passed: bool) -> str:
    return "passed" if passed else "failed"


def _groups(tested: Findings, level: float) -> Table:
    found = tested.comparison
    table = Table(
        title=f"Mean score by random group, {found.pages} pages ({level:.0%} intervals, by shopper)",
        title_justify="left",
    )
    table.add_column("pool")
    table.add_column("candidates", justify="right")
    for heading in ("all", "lowest group", "highest group"):
        table.add_column(heading)
    by_pool: dict[str, list[GroupRow]] = {}
    for row in found.groups.rows:
        by_pool.setdefault(row.pool, []).append(row)
    for pool, (whole, *groups) in by_pool.items():
        ordered = sorted((row for row in groups if row.n), key=lambda row: row.score.value)
        table.add_row(pool, f"{whole.n:,}", *(_text(row.score) for row in (whole, ordered[0], ordered[-1])))
    return table


def _clicks(found: ClickEstimates, level: float) -> Table:
    table = Table(
        title=f"Click rate of a drawn slot: {found.draws:,} draws seen, {found.unseen:,} not "
        f"({level:.0%} intervals)",
        title_justify="left",
    )
    for heading in ("estimate", "click rate", "change"):
        table.add_column(heading)
    estimates = found.estimates
    table.add_row("logged", _text(estimates.logged), "")
    for name in ("ips", "snips", "dr"):
        table.add_row(
            name.upper(), _text(getattr(estimates, name)), _text(getattr(estimates, f"{name}_gain"))
        )
    return table


def _text(interval: Interval) -> str:
    return f"{interval.value:.4f} ({interval.low:.4f}–{interval.high:.4f})"
