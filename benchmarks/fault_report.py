"""What a fault did to callers, from the calls of a steady load and the event log."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.table import Table

from benchmarks.steady_load import Sent

NOT_DONE = "not done"
"""What an injection found where the change it makes did not come; a missed goal."""
_BIN_S = 0.5
# A call under way when a fault comes was due a little earlier.
_UNDER_WAY_S = 0.3
_TOLERATED_SHARE = 0.2
_SAID = 5


@dataclass(frozen=True)
class Window:
    """The time that belongs to one fault: monotonic seconds from its injection until the next one's."""

    fault: str
    ingress: str
    state: str
    begin: float
    end: float
    calm: bool
    """Whether answers were whole again before the patience for it ended."""
    seen: dict[str, Any] = field(default_factory=dict)
    """What the injection itself found out."""
    spares_somebody: bool = True
    """Whether enough is left for no call to fail after one retry."""


@dataclass(frozen=True)
class Outcome:
    """One fault's effect; times in seconds from its injection, None where there was no effect.

    calls                 calls sent
    failed_before_retry   first tries that failed, by status
    failed                calls failed in the end, by status; those that must not be sent again are left out
    failed_unretried      calls failed that must not be sent again (events without event_id), by status
    said                  what the service said with up to five of the failures, its digits as 0, by how often
    short                 answers with fewer items than a page
    degraded              answers by what they lacked
    acknowledged          events that were acknowledged
    lost                  acknowledged events that the log does not have
    doubled               events with an event_id that the log has more than once
    doubled_without_id    events without an event_id that the log has more than once
    first_effect_s        until the first call failed or the first bad half second began
    answers_s             until every call was answered at its first try again
    full_quality_s        until no half second had more degraded answers than usual
    slowest_s             longest time from when a call was due to its end
    """

    fault: str
    ingress: str
    state: str
    calls: int
    failed_before_retry: dict[str, int]
    failed: dict[str, int]
    failed_unretried: dict[str, int]
    said: dict[str, int]
    short: int
    degraded: dict[str, int]
    acknowledged: int
    lost: int
    doubled: int
    doubled_without_id: int
    first_effect_s: float | None
    answers_s: float | None
    full_quality_s: float | None
    slowest_s: float
    calm: bool
    seen: dict[str, Any]
    spares_somebody: bool

    @property
    def misses(self) -> list[str]:
        """The goals it misses, in words."""
        goals = {
            "failed calls after one retry": sum(self.failed.values()) if self.spares_somebody else 0,
            "acknowledged events lost": self.lost,
            "events stored twice": self.doubled,
            "short pages": self.short,
            "not whole again": 0 if self.calm else 1,
        }
        missed = [f"{goal}: {count}" for goal, count in goals.items() if count]
        return missed + ([f"{NOT_DONE}: {self.seen[NOT_DONE]}"] if NOT_DONE in self.seen else [])


def outcome(
    window: Window, sent: Sequence[Sent], logged: Mapping[str, int], page_size: int, usual_share: float
) -> Outcome:
    """The effect of the fault on the calls due in its window or on their way when it began.

    logged       times the event log has each event of the load, by id
    usual_share  share of answers degraded without a fault
    """
    begin, end = window.begin - _UNDER_WAY_S, window.end - _UNDER_WAY_S
    calls = [call for call in sent if begin <= call.due < end]
    answers = [call for call in calls if call.kind == "recommend" and call.ok]
    reports = [call for call in calls if call.kind == "events"]
    unretried = [call for call in reports if not call.with_ids]
    final = [call for call in calls if call.kind == "recommend" or call.with_ids]
    acknowledged = [(id, call.with_ids) for call in reports if call.ok for id in call.events]
    failing = [call for call in calls if call.first != "OK" or not call.ok]
    worse = _worse_bins(answers, window.begin, max(_TOLERATED_SHARE, 2 * usual_share))
    first = [call.due for call in failing] + [begin for begin, _ in worse]
    return Outcome(
        fault=window.fault,
        ingress=window.ingress,
        state=window.state,
        calls=len(calls),
        failed_before_retry=dict(Counter(call.first for call in calls if call.first != "OK")),
        failed=dict(Counter(call.status for call in final if not call.ok)),
        failed_unretried=dict(Counter(call.status for call in unretried if not call.ok)),
        said=dict(Counter(_words(call) for call in calls if not call.ok).most_common(_SAID)),
        short=sum(call.items < page_size for call in answers),
        degraded=dict(Counter(name for call in answers for name in call.degraded)),
        acknowledged=len(acknowledged),
        lost=sum(not logged.get(id, 0) for id, _ in acknowledged),
        doubled=sum(logged.get(id, 0) > 1 for call in reports if call.with_ids for id in call.events),
        doubled_without_id=sum(logged.get(id, 0) > 1 for call in unretried for id in call.events),
        first_effect_s=max(0.0, min(first) - window.begin) if first else None,
        answers_s=max(call.ended for call in failing) - window.begin if failing else None,
        full_quality_s=worse[-1][1] - window.begin if worse else None,
        slowest_s=max((call.ended - call.due for call in calls), default=0.0),
        calm=window.calm,
        seen=window.seen,
        spares_somebody=window.spares_somebody,
    )


def degraded_share(sent: Iterable[Sent]) -> float:
    """Share of recommendations answered that lacked something."""
    answers = [call for call in sent if call.kind == "recommend" and call.ok]
    return sum(bool(call.degraded) for call in answers) / len(answers) if answers else 0.0


def _worse_bins(answers: Sequence[Sent], begin: float, tolerated: float) -> list[tuple[float, float]]:
    """First due and last end of the degraded answers of each half second that had more than tolerated."""
    bins: dict[int, list[Sent]] = {}
    for call in answers:
        bins.setdefault(int((call.due - begin) / _BIN_S), []).append(call)
    found = []
    for number in sorted(bins):
        lacking = [call for call in bins[number] if call.degraded]
        if len(lacking) > tolerated * len(bins[number]):
            found.append((min(call.due for call in lacking), max(call.ended for call in lacking)))
    return found


def table(outcomes: Sequence[Outcome]) -> Table:
    """The outcomes for a person."""
    shown = Table(title="Faults under steady load; one retry on UNAVAILABLE; seconds from the fault")
    for name in ("fault", "ingress, state", "calls", "failed 1st try", "failed", "short", "degraded answers"):
        shown.add_column(
            name, justify="left" if name in ("fault", "ingress, state", "degraded answers") else "right"
        )
    for name in ("events", "lost", "doubled", "no id: failed / doubled", "answers s", "whole s", "slowest s"):
        shown.add_column(name, justify="right")
    for each in outcomes:
        shown.add_row(
            each.fault if each.calm else f"{each.fault} [red](not calm)[/]",
            f"{each.ingress}, {each.state}",
            str(each.calls),
            _counts(each.failed_before_retry),
            _counts(each.failed),
            str(each.short),
            _counts(each.degraded),
            str(each.acknowledged),
            str(each.lost),
            str(each.doubled),
            f"{sum(each.failed_unretried.values())} / {each.doubled_without_id}",
            _seconds(each.answers_s),
            _seconds(each.full_quality_s),
            f"{each.slowest_s:.2f}",
        )
    return shown


def as_json(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """The outcomes as JSON values."""
    return [asdict(each) for each in outcomes]


def _words(call: Sent) -> str:
    return f"{call.status}: {re.sub('[0-9]+', '0', call.detail)}"


def _counts(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counted.items())) or "0"


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"
