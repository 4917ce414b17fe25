"""What each stage did to one request: counts, times, outcome."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Clock = Callable[[], float]
"""Seconds on a clock that never goes back, such as `time.monotonic`."""

Outcome = Literal["ok", "partial", "timeout", "failed", "skipped"]


class StageRecord(NamedTuple):
    """One stage of one request.

    stage       kind and name: "channel:hot", "fusion", "filter:adult", "limit", "backfill:hot", "prerank",
                "ranking", "ranking:<scorer>", "merge:first", "rerank:scatter", "page:no_repeats",
                "exploration"; "quality_factor" where the request was narrowed: full and
                narrowed number of candidates ranked, and the factor as detail
    count_in    candidates it was given (a channel: how many were requested)
    count_out   candidates it passed on
    removed     candidates removed, by reason
    start_ms    milliseconds from the request's arrival to the stage's begin
    elapsed_ms  milliseconds the stage took
    outcome     "ok"; "partial": some candidates could not be scored, or a
                part of a channel did not answer; "timeout": its deadline passed;
                "failed": a dependency did, or a bug; "skipped"
    detail      what went wrong, where something did
    """

    stage: str
    count_in: int
    count_out: int
    removed: dict[str, int]
    start_ms: float
    elapsed_ms: float
    outcome: Outcome
    detail: str


@dataclass(slots=True)
class Trace:
    """Collects the records of one request and the names of what did not take part in its answer."""

    clock: Clock
    arrived: float
    records: list[StageRecord] = field(default_factory=list)
    degraded: list[str] = field(default_factory=list)

    def record(
        self,
        stage: str,
        began: float,
        count_in: int,
        count_out: int,
        removed: dict[str, int] | None = None,
        outcome: Outcome = "ok",
        detail: str = "",
    ) -> None:
        """Adds the record of a stage that began at `began` (seconds on the clock) and ends now."""
        self.records.append(
            StageRecord(
                stage,
                count_in,
                count_out,
                removed or {},
                (began - self.arrived) * 1000.0,
                (self.clock() - began) * 1000.0,
                outcome,
                detail,
            )
        )

    def degrade(self, part: str) -> None:
        """Names a part that does not take part in the answer; naming it twice counts once."""
        if part not in self.degraded:
            self.degraded.append(part)

    def in_order(self) -> list[StageRecord]:
        """The records in the order the stages began."""
        return sorted(self.records, key=lambda record: record.start_ms)
