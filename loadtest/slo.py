"""Service level objectives: `p99=50ms,errors=0.1%`, judged on the latency a caller would have seen."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from loadtest.durations import format_nanoseconds, parse_duration
from loadtest.errors import LoadTestError

_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?)")
_EXPLAINED = "write for example p99=50ms, p99.9=200ms, mean=10ms, max=1s, errors=0.1% or rate=500/s"


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition of an objective.

    `metric`: "p" (with `percentile`), "mean", "max" (limits in ns), "errors" (a share) or "rate" (per
    second).
    """

    text: str
    metric: str
    limit: float
    percentile: float = 0.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one clause came to; `measured` is the value in words."""

    clause: str
    held: bool
    measured: str


@dataclass(frozen=True, slots=True)
class Measured:
    """The measurements that clauses are checked against.

    `latency_ns(q)`: percentile q of 0…100 of the successful requests, None without any; `sent`:
    requests answered or failed; `unsent`: requests whose time came but that could not be sent.
    """

    latency_ns: Callable[[float], float | None]
    mean_ns: float | None
    max_ns: float | None
    sent: int
    failed: int
    unsent: int
    rate: float


def parse_slo(text: str) -> tuple[Clause, ...]:
    """The clauses of an objective. Raises LoadTestError naming the wrong clause and how to write it."""
    clauses = tuple(_clause(part.strip()) for part in text.split(","))
    names = [clause.text.split("=")[0].strip() for clause in clauses]
    for name in names:
        if names.count(name) > 1:
            raise LoadTestError(f"--slo: {name} is given twice")
    return clauses


def _clause(text: str) -> Clause:
    name, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not value:
        raise LoadTestError(f"--slo: {text!r} is not a clause; {_EXPLAINED}")
    percentile = _PERCENTILE.fullmatch(name)
    if percentile or name in ("mean", "max"):
        try:
            limit = parse_duration(value)
        except ValueError as error:
            raise LoadTestError(f"--slo: {name}: {error}") from error
        if limit <= 0:
            raise LoadTestError(f"--slo: {name}={value} can never hold; give a time above 0")
        if percentile and not 0 < float(percentile[1]) < 100:
            raise LoadTestError(f"--slo: {name} is not a percentile between 0 and 100")
        return Clause(text, "p" if percentile else name, limit, float(percentile[1]) if percentile else 0.0)
    if name == "errors":
        share = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", value)
        if share is None or float(share[1]) > 100:
            raise LoadTestError(
                f"--slo: errors={value} is not a share; write it in percent, for example errors=0.1%"
            )
        return Clause(text, "errors", float(share[1]) / 100)
    if name == "rate":
        rate = re.fullmatch(r"(\d+(?:\.\d+)?)\s*/s", value)
        if rate is None:
            raise LoadTestError(
                f"--slo: rate={value} has no unit; write it per second, for example rate=500/s"
            )
        return Clause(text, "rate", float(rate[1]))
    raise LoadTestError(f"--slo: {name!r} is unknown; {_EXPLAINED}")


def judge(clauses: tuple[Clause, ...], measured: Measured) -> tuple[Verdict, ...]:
    """A verdict per clause. Without a successful request no latency clause holds: no data never passes."""
    return tuple(_verdict(clause, measured) for clause in clauses)


def _verdict(clause: Clause, measured: Measured) -> Verdict:
    if clause.metric == "errors":
        due = measured.sent + measured.unsent
        if not due:
            return Verdict(clause.text, False, "no requests")
        share = (measured.failed + measured.unsent) / due
        return Verdict(clause.text, share <= clause.limit, f"{share * 100:.3g}%")
    if clause.metric == "rate":
        return Verdict(clause.text, measured.rate >= clause.limit, f"{measured.rate:.1f}/s")
    value = {"p": measured.latency_ns(clause.percentile), "mean": measured.mean_ns, "max": measured.max_ns}[
        clause.metric
    ]
    if value is None:
        return Verdict(clause.text, False, "no successful requests")
    return Verdict(clause.text, value <= clause.limit, format_nanoseconds(round(value)))
