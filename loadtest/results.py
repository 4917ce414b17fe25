"""What came back: columns for the first million requests, histograms and counts for all of them.

Memory is bounded whatever the length of the test. ghz keeps the details of a million requests too, and
computes its percentiles from them; beyond a million the histograms (HdrHistogram, 3 significant digits) know
what the columns lack.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from loadtest.call import Call
from loadtest.latency_histogram import LatencyHistogram
from loadtest.status import Status, go_error

MOST_DETAILS = 1_000_000
MOST_ERRORS = 1_000
_OTHER_ERRORS = f"another error (only {MOST_ERRORS:,} different ones are counted separately)"
_CHUNK = 16_384


@dataclass(slots=True)
class Results:
    """The outcome of one process, or of several merged.

    Columns of equal length, in order of completion: `intended_ns` (equal to `started_ns` without a schedule),
    `started_ns`, `ended_ns` int64 on the clock of `time.perf_counter_ns`; `status` uint8; `error` int32, a
    position in `errors`, -1 for none. `service` and `response`: latencies in ns of the requests that count,
    from the start and from the intended start. `unsent`: requests whose time came that could not be sent.
    """

    intended_ns: NDArray[np.int64]
    started_ns: NDArray[np.int64]
    ended_ns: NDArray[np.int64]
    status: NDArray[np.uint8]
    error: NDArray[np.int32]
    errors: list[str]
    count: int
    latency_sum_ns: int
    status_counts: Counter[int]
    error_counts: Counter[str]
    service: LatencyHistogram
    response: LatencyHistogram
    unsent: int = 0
    stages: dict[str, list[float]] = field(default_factory=dict)
    messages: int = 0
    began_ns: int = 0
    finished_ns: int = 0
    reason: str = "normal"


class Recorder:
    """Takes finished calls one by one; cheap per call, and bounded."""

    def __init__(self, skip_first: int, count_errors: bool, details: int = MOST_DETAILS) -> None:
        """Empty results.

        Args:
            skip_first: number of the first requests that are not counted.
            count_errors: whether latencies of failed requests count too.
            details: most requests that are kept one by one.
        """
        self._skip = skip_first
        self._count_errors = count_errors
        self._room = details
        self._kept: list[tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.int32]]] = []
        self._times: list[tuple[int, int, int]] = []
        self._statuses: list[int] = []
        self._error_at: list[int] = []
        self._errors: list[str] = []
        self._positions: dict[str, int] = {}
        self._error_counts: Counter[str] = Counter()
        self._status_counts: Counter[int] = Counter()
        self._count = 0
        self._latency_sum = 0
        self._messages = 0
        self._service = LatencyHistogram()
        self._response = LatencyHistogram()
        self.unsent = 0

    def add(self, call: Call) -> None:
        """Counts a call that has ended."""
        if self._skip:
            self._skip -= 1
            return
        status = call.status
        assert status is not None
        self._times.append((call.intended_ns, call.started_ns, call.ended_ns))
        self._statuses.append(status)
        self._messages += call.answers
        if status is Status.OK:
            self._error_at.append(-1)
        else:
            self._error_at.append(self._position(go_error(status, call.message)))
        if len(self._times) >= _CHUNK:
            self._flush()

    def _position(self, error: str) -> int:
        position = self._positions.get(error)
        if position is None:
            if len(self._errors) >= MOST_ERRORS:
                error = _OTHER_ERRORS
                position = self._positions.get(error)
            if position is None:
                position = len(self._errors)
                self._errors.append(error)
                self._positions[error] = position
        self._error_counts[error] += 1
        return position

    def _flush(self) -> None:
        if not self._times:
            return
        times = np.array(self._times, dtype=np.int64)
        statuses = np.array(self._statuses, dtype=np.uint8)
        error_at = np.array(self._error_at, dtype=np.int32)
        self._times.clear()
        self._statuses.clear()
        self._error_at.clear()
        self._count += len(times)
        service = times[:, 2] - times[:, 1]
        self._latency_sum += int(service.sum())
        for status, count in zip(*np.unique(statuses, return_counts=True), strict=True):
            self._status_counts[int(status)] += int(count)
        counted = slice(None) if self._count_errors else statuses == Status.OK
        self._service.record(service[counted])
        self._response.record((times[:, 2] - times[:, 0])[counted])
        room = min(self._room, len(times))
        if room:
            self._room -= room
            self._kept.append((times[:room], statuses[:room], error_at[:room]))

    def results(self) -> Results:
        """Everything counted so far."""
        self._flush()
        times = np.concatenate([np.empty((0, 3), np.int64), *(kept[0] for kept in self._kept)])
        return Results(
            intended_ns=times[:, 0],
            started_ns=times[:, 1],
            ended_ns=times[:, 2],
            status=np.concatenate([np.empty(0, np.uint8), *(kept[1] for kept in self._kept)]),
            error=np.concatenate([np.empty(0, np.int32), *(kept[2] for kept in self._kept)]),
            errors=self._errors,
            count=self._count,
            latency_sum_ns=self._latency_sum,
            status_counts=self._status_counts,
            error_counts=self._error_counts,
            service=self._service,
            response=self._response,
            unsent=self.unsent,
            messages=self._messages,
        )


def merged(parts: list[Results]) -> Results:
    """The results of several processes as one, in order of completion. `parts` is not empty."""
    if len(parts) == 1:
        return parts[0]
    errors = list(dict.fromkeys(error for part in parts for error in part.errors))
    position = {error: at for at, error in enumerate(errors)}
    renumbered = [
        np.array([position[error] for error in part.errors] + [-1], dtype=np.int32)[part.error]
        for part in parts
    ]
    ended = np.concatenate([part.ended_ns for part in parts])
    order = np.argsort(ended, kind="stable")[:MOST_DETAILS]
    whole = Results(
        intended_ns=np.concatenate([part.intended_ns for part in parts])[order],
        started_ns=np.concatenate([part.started_ns for part in parts])[order],
        ended_ns=ended[order],
        status=np.concatenate([part.status for part in parts])[order],
        error=np.concatenate(renumbered)[order],
        errors=errors,
        count=sum(part.count for part in parts),
        latency_sum_ns=sum(part.latency_sum_ns for part in parts),
        status_counts=sum((part.status_counts for part in parts), Counter()),
        error_counts=sum((part.error_counts for part in parts), Counter()),
        service=LatencyHistogram(),
        response=LatencyHistogram(),
        unsent=sum(part.unsent for part in parts),
        messages=sum(part.messages for part in parts),
        began_ns=min(part.began_ns for part in parts),
        finished_ns=max(part.finished_ns for part in parts),
        reason=next((part.reason for part in parts if part.reason != "normal"), "normal"),
    )
    for part in parts:
        whole.service.add(part.service)
        whole.response.add(part.response)
        for stage, values in part.stages.items():
            whole.stages.setdefault(stage, []).extend(values)
    return whole
