"""When requests are meant to start, and how many may be under way.

A schedule is a rate curve (constant pieces, as ghz's const, step and line have it) and a row of arrivals in
units of requests: 0, 1, 2, … evenly, or a Poisson process of rate 1. The k-th request is meant to start when
the integral of the rate reaches the k-th arrival; for Poisson arrivals that is the time-change of an
inhomogeneous Poisson process (Çinlar, Introduction to Stochastic Processes, section 4.7).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loadtest.durations import SECOND
from loadtest.options import LoadOptions

CHUNK = 4_096


@dataclass(frozen=True, slots=True)
class Curve:
    """A step function of time: `values[i]` holds from `starts_ns[i]` on, the last one forever."""

    starts_ns: tuple[int, ...]
    values: tuple[float, ...]

    def at(self, time_ns: int) -> float:
        """The value at a time of 0 or later."""
        return self.values[bisect_right(self.starts_ns, time_ns) - 1]


def constant(value: float) -> Curve:
    """The curve that never changes."""
    return Curve((0,), (value,))


def stepped(start: int, step: int, end: int, step_ns: int, change_for_ns: int, horizon_ns: int) -> Curve:
    """Step schedule as in ghz: `start`, changed by `step` every `step_ns`, until `end` or `change_for_ns`.

    `change_for_ns` 0 = none; a step at exactly that time still counts. With both limits the value is `end`
    from `change_for_ns` on.

    Values never fall below 0. A curve without an end is built up to `horizon_ns` and constant behind it.
    """
    starts, values = [0], [float(start)]
    while values[-1] > 0 or step > 0:
        at = starts[-1] + step_ns
        value = max(0.0, values[-1] + step)
        if (change_for_ns and at > change_for_ns) or at > horizon_ns:
            break
        if end and (value - end) * (1 if step > 0 else -1) >= 0:
            starts.append(at)
            values.append(float(end))
            break
        starts.append(at)
        values.append(value)
    if change_for_ns and end and values[-1] != end:
        if starts[-1] == change_for_ns:
            values[-1] = float(end)
        else:
            starts.append(change_for_ns)
            values.append(float(end))
    return Curve(tuple(starts), tuple(values))


_LONGEST_CURVE = 24 * 3_600 * SECOND


def rate_curve(options: LoadOptions) -> Curve | None:
    """The rate in requests per second; None where requests follow answers instead of a clock."""
    if options.load_schedule in ("const", "poisson"):
        return constant(options.rps) if options.rps else None
    step_ns = SECOND if options.load_schedule == "line" else options.load_step_duration
    return stepped(
        options.load_start,
        options.load_step,
        options.load_end,
        step_ns,
        options.load_max_duration,
        options.duration or options.max_duration or _LONGEST_CURVE,
    )


def concurrency_curve(options: LoadOptions) -> Curve:
    """How many requests may be under way at a time."""
    if options.concurrency_schedule == "const":
        return constant(options.concurrency)
    line = options.concurrency_schedule == "line"
    curve = stepped(
        options.concurrency_start,
        options.concurrency_step,
        options.concurrency_end,
        SECOND if line else options.concurrency_step_duration,
        options.concurrency_max_duration,
        options.duration or options.max_duration or _LONGEST_CURVE,
    )
    return Curve(curve.starts_ns, tuple(max(1.0, value) for value in curve.values))


def even_arrivals() -> Iterator[NDArray[np.float64]]:
    """0, 1, 2, … in chunks."""
    first = 0
    while True:
        yield np.arange(first, first + CHUNK, dtype=np.float64)
        first += CHUNK


def poisson_arrivals(seed: int) -> Iterator[NDArray[np.float64]]:
    """Arrivals of a Poisson process of rate 1, in chunks."""
    random = np.random.default_rng(seed)
    last = 0.0
    while True:
        chunk = last + np.cumsum(random.standard_exponential(CHUNK))
        last = float(chunk[-1])
        yield chunk


def start_times(curve: Curve, arrivals: Iterator[NDArray[np.float64]]) -> Iterator[NDArray[np.int64]]:
    """Intended starts, nanoseconds after the test's begin, ascending, in chunks.

    Ends only where the rate stays 0: the arrivals behind that never come.
    """
    starts = np.array(curve.starts_ns, dtype=np.float64) / SECOND
    rates = np.array(curve.values, dtype=np.float64)
    reached = np.concatenate(([0.0], np.cumsum(np.diff(starts) * rates[:-1])))
    for chunk in arrivals:
        # Of pieces that begin at the same count the last one with a rate is meant: rate 0 adds nothing.
        piece = np.searchsorted(reached, chunk, side="right") - 1
        if rates[-1] == 0:
            chunk = chunk[chunk < reached[-1]]
            piece = piece[: chunk.size]
            if not chunk.size:
                return
        times = starts[piece] + (chunk - reached[piece]) / rates[piece]
        yield np.round(times * SECOND).astype(np.int64)


def scheduled_starts(options: LoadOptions) -> Iterator[NDArray[np.int64]] | None:
    """The intended starts of a test with a rate; None without one."""
    curve = rate_curve(options)
    if curve is None:
        return None
    poisson = options.load_schedule == "poisson"
    return start_times(curve, poisson_arrivals(options.seed) if poisson else even_arrivals())
