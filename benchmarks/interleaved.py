"""Timing several ways of doing one thing in turns, so that a busy machine slows them all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

_MOST_CALLS = 16


@dataclass(frozen=True)
class Timings:
    """Seconds of every call: float64[rounds, calls in a round]."""

    seconds: np.ndarray

    @property
    def p50(self) -> float:
        """Median of all calls, seconds."""
        return float(np.percentile(self.seconds, 50))

    @property
    def p99(self) -> float:
        """99th percentile of all calls, seconds; with fewer than 100 calls nearly the slowest."""
        return float(np.percentile(self.seconds, 99))

    def times_faster(self, peer: Timings) -> float:
        """How many times faster than `peer`, by the median of the rounds' ratios."""
        return float(np.median(np.median(peer.seconds, axis=1) / np.median(self.seconds, axis=1)))


def in_turns(
    ways: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    budget_s: float,
    slice_s: float = 0.03,
    warm_up: int = 2,
    timer: Callable[[], float] = time.perf_counter,
) -> dict[str, Timings]:
    """Calls every way in every round; stops after `rounds`, or after `budget_s` seconds but not before 5.

    A way that takes less than `slice_s` seconds is called several times a round (16 at most), so that quick
    ways have enough calls for a 99th percentile. Each is called `warm_up` times before. The order is turned
    by one each round, so that no way always follows the same other.
    """
    calls = {}
    for name, call in ways.items():
        for _ in range(warm_up):
            call()
        begin = timer()
        call()
        calls[name] = int(np.clip(slice_s / max(timer() - begin, 1e-9), 1, _MOST_CALLS))
    names = list(ways)
    spent: dict[str, list[list[float]]] = {name: [] for name in names}
    until = timer() + budget_s
    for number in range(rounds):
        if number >= 5 and timer() > until:
            break
        start = number % len(names)
        for name in names[start:] + names[:start]:
            spent[name].append([_timed(ways[name], timer) for _ in range(calls[name])])
    return {name: Timings(np.array(seconds)) for name, seconds in spent.items()}


def _timed(call: Callable[[], object], timer: Callable[[], float]) -> float:
    begin = timer()
    call()
    return timer() - begin
