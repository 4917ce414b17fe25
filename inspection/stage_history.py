"""How long stages took over the last hour: the processes' own histograms, noted once a minute."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspection.metric_samples import MetricSamples
from protos.shopfront.v1.admin_pb2 import MetricSample, ReadStageTimesResponse, StageTimes

logger = logging.getLogger(__name__)

NOTED_EVERY_S = 60.0
WINDOW_S = 3_600.0
WHOLE = "request"
"""What the whole request is called among its stages."""
MAX_HISTOGRAMS = 2_000
"""Histograms followed: 2,000 of 16 buckets, noted 61 times, take 16 MB; a shop of ten scenes has 300."""
_STAGES, _REQUESTS = "shopfront_stage_seconds_bucket", "shopfront_request_seconds_bucket"

Float64 = NDArray[np.float64]
Key = tuple[str, str]
"""Scene and stage."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """One histogram: upper bounds of its buckets, seconds, rising, the last infinite; and counts below each.

    Both are float64[n]; `below` is cumulative.
    """

    bounds: Float64
    below: Float64


@dataclass(frozen=True, slots=True)
class _Moment:
    at: float
    histograms: dict[Key, Histogram]


class StageHistory:
    """Notes the histograms and returns what was added since; belongs to one event loop."""

    def __init__(self, samples: MetricSamples, clock: Callable[[], float] = time.time) -> None:
        """`samples`: the counts of every process; `clock`: unix seconds."""
        self._samples = samples
        self._clock = clock
        self._noted: deque[_Moment] = deque(maxlen=round(WINDOW_S / NOTED_EVERY_S) + 1)

    async def run(self) -> None:
        """Notes once a minute until cancelled; what cannot be read is logged and tried again."""
        while True:
            try:
                await self.note()
            except Exception:
                # Nobody's answer needs it, so no failure of it may end the replica.
                logger.exception("the counts cannot be read for the history of stages")
            await asyncio.sleep(NOTED_EVERY_S)

    async def note(self) -> None:
        """Notes what is counted now."""
        self._noted.append(await self._read())

    async def times(self, scene: str) -> ReadStageTimesResponse:
        """What was added over the last hour, of the stages of one scene and of its whole requests."""
        now = await self._read()
        first = next((moment for moment in self._noted if now.at - moment.at <= WINDOW_S), now)
        found = [
            _times(stage, last, first.histograms.get((of, stage)))
            for (of, stage), last in now.histograms.items()
            if of == scene
        ]
        ran = [each for each in found if each.count > 0]
        ran.sort(key=lambda each: (each.stage != WHOLE, -each.p50_ms))
        return ReadStageTimesResponse(window_s=now.at - first.at, stages=ran)

    async def _read(self) -> _Moment:
        answer = await self._samples.read((_STAGES, _REQUESTS))
        return _Moment(self._clock(), histograms_of(answer.samples))


def histograms_of(samples: Iterable[MetricSample]) -> dict[Key, Histogram]:
    """Histograms by scene and stage, requests of all methods added up; at most `MAX_HISTOGRAMS`."""
    sums: dict[Key, dict[float, float]] = {}
    for sample in samples:
        labels = sample.labels
        stage = WHOLE if sample.name == _REQUESTS else labels["stage"]
        key = (labels["scene"], stage)
        if key not in sums and len(sums) >= MAX_HISTOGRAMS:
            continue
        bounds = sums.setdefault(key, {})
        bound = float(labels["le"])
        bounds[bound] = bounds.get(bound, 0.0) + sample.value
    return {
        key: Histogram(np.array(sorted(bounds)), np.array([bounds[bound] for bound in sorted(bounds)]))
        for key, bounds in sums.items()
    }


def percentile(bounds: Float64, counts: Float64, share: float) -> float:
    """Seconds below which `share` of the observations lie, linear within a bucket; NaN where there are none.

    As Prometheus' `histogram_quantile`: what lies in the infinite bucket is given as its lower bound.

    Args:
        bounds: float64[n], upper bounds, seconds, rising; the last may be infinite.
        counts: float64[n], observations by bucket.
        share: 0 to 1.
    """
    below = np.cumsum(counts)
    total = float(below[-1]) if len(below) else 0.0
    if total <= 0:
        return math.nan
    at = int(np.searchsorted(below, share * total))
    low = float(bounds[at - 1]) if at else 0.0
    if math.isinf(bounds[at]) or not counts[at]:
        return low
    before = float(below[at - 1]) if at else 0.0
    return low + (float(bounds[at]) - low) * (share * total - before) / float(counts[at])


def _times(stage: str, last: Histogram, first: Histogram | None) -> StageTimes:
    below = last.below
    if first is not None and np.array_equal(first.bounds, last.bounds):
        added = last.below - first.below
        # Fewer than before: the processes were started anew.
        below = added if added[-1] >= 0 else last.below
    counts = np.maximum(np.diff(below, prepend=0.0), 0.0)
    p50, p90, p99 = (percentile(last.bounds, counts, share) * 1_000 for share in (0.5, 0.9, 0.99))
    return StageTimes(
        stage=stage,
        count=float(counts.sum()),
        p50_ms=p50,
        p90_ms=p90,
        p99_ms=p99,
        bounds_s=last.bounds.tolist(),
        counts=counts.tolist(),
    )
