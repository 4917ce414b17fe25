"""Latencies of any number of requests in bounded memory: an HdrHistogram that travels between processes."""

from __future__ import annotations

import numpy as np
from hdrh.histogram import HdrHistogram
from numpy.typing import NDArray

_LOWEST_NS = 1_000
_LONGEST_NS = 3_600 * 10**9
_DIGITS = 3
# 3 digits take 2,048 steps, of which each doubling of the value uses the upper half: 11 bits.
_KEPT_BITS = 11


class LatencyHistogram:
    """Counts of latencies in ns, 3 significant digits, from a microsecond to an hour (Tene, HdrHistogram)."""

    def __init__(self) -> None:
        """An empty histogram."""
        self._counts = HdrHistogram(_LOWEST_NS, _LONGEST_NS, _DIGITS)

    def record(self, latencies: NDArray[np.int64]) -> None:
        """Adds latencies in ns."""
        values = np.clip(latencies, _LOWEST_NS, _LONGEST_NS)
        # Values that the histogram cannot distinguish are made equal here, so that few are counted singly.
        shift = np.maximum(np.frexp(values)[1] - _KEPT_BITS, 0)
        for value, count in zip(*np.unique(values >> shift << shift, return_counts=True), strict=True):
            self._counts.record_value(int(value), int(count))

    def add(self, other: LatencyHistogram) -> None:
        """Adds what another histogram counted."""
        self._counts.add(other._counts)

    def percentile(self, percentage: float) -> int:
        """The latency in ns that `percentage` percent do not exceed, within the histogram's digits."""
        return int(self._counts.get_value_at_percentile(percentage))

    def __getstate__(self) -> bytes:
        """Its encoded counts, which travel between processes."""
        encoded: bytes = self._counts.encode()
        return encoded

    def __setstate__(self, state: bytes) -> None:
        """Decodes the counts of another process."""
        self._counts = HdrHistogram.decode(state)
