"""From a router's counts to throughput, percentiles and shares over the last minutes, kept in memory."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from console.router_client import RouterClient, RouterProblem
from protos.shopfront.v1.admin_pb2 import MetricSample

logger = logging.getLogger(__name__)

PREFIXES = (
    "shopfront_requests_total",
    "shopfront_request_seconds_bucket",
    "shopfront_stage_seconds_bucket",
    "shopfront_degraded_answers_total",
    "shopfront_admission_total",
    "shopfront_stage_candidates_out_total",
    "shopfront_model_answers_total",
    "shopfront_events_total",
    "shopfront_feedback_ratings_total",
    "shopfront_feedback_items_total",
    "shopfront_feedback_asked_total",
    "shopfront_loop_utilisation",
    "shopfront_queue_depth",
    "shopfront_snapshot_info",
    "shopfront_snapshot_damaged",
    "shopfront_config_reloads_total",
    "shopfront_connections_open",
    "shopfront_exposures_total",
    "shopfront_learner_lag_seconds",
    "shopfront_learner_watermark_seconds",
    "shopfront_learner_checkpoint_timestamp_seconds",
    "shopfront_learner_checkpoints_total",
    "shopfront_restarts_total",
    "shopfront_part_lost",
    "shopfront_replica_starts_total",
)
KEPT = 150
SHOPPERS_METHODS = ("Recommend", "RecommendPage", "SimilarItems")
_WATCHED_S = 30.0

Key = tuple[str, tuple[tuple[str, str], ...]]


class SeriesIndex:
    """Which series readings have; readings one after another share it, since they hardly ever differ."""

    def __init__(self, keys: tuple[Key, ...]) -> None:
        """`keys`: name and sorted labels of each series."""
        self.keys = keys
        self.by_name: dict[str, list[tuple[int, dict[str, str]]]] = {}
        for position, (name, labels) in enumerate(keys):
            self.by_name.setdefault(name, []).append((position, dict(labels)))


@dataclass(frozen=True, slots=True)
class Reading:
    """The counts at one moment, unix seconds: float64[n], in the order of the index."""

    at: float
    index: SeriesIndex
    counts: array[float]

    @classmethod
    def of(cls, at: float, samples: Iterable[MetricSample], before: Reading | None = None) -> Reading:
        """From samples as a router sends them; what is no number is left out. `before`: the one before it."""
        finite = [sample for sample in samples if math.isfinite(sample.value)]
        keys = tuple((sample.name, tuple(sorted(sample.labels.items()))) for sample in finite)
        index = before.index if before is not None and before.index.keys == keys else SeriesIndex(keys)
        return cls(at, index, array("d", [sample.value for sample in finite]))

    def total(self, name: str, by: str, **where: Iterable[str]) -> dict[str, float]:
        """Sums of the series `name` by the value of one label; `where`: values that other labels may have."""
        return {values[0]: each for values, each in self._sums(name, (by,), where).items()}

    def totals(self, name: str, by: str, then: str, **where: Iterable[str]) -> dict[str, dict[str, float]]:
        """As `total`, by the value of one label, and below each by that of another."""
        found: dict[str, dict[str, float]] = {}
        for (first, second), each in self._sums(name, (by, then), where).items():
            found.setdefault(first, {})[second] = each
        return found

    def _sums(
        self, name: str, by: tuple[str, ...], where: Mapping[str, Iterable[str]]
    ) -> dict[tuple[str, ...], float]:
        sums: dict[tuple[str, ...], float] = {}
        for position, known in self.index.by_name.get(name, ()):
            if all(known.get(label, "") in allowed for label, allowed in where.items()):
                key = tuple(known.get(label, "") for label in by)
                sums[key] = sums.get(key, 0.0) + self.counts[position]
        return sums


def increase(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """What was added since; of counters that began again, as after a restart, all that there is."""
    return {
        name: value - before.get(name, 0.0) if value >= before.get(name, 0.0) else value
        for name, value in after.items()
    }


def percentile(buckets: Mapping[str, float], share: float) -> float:
    """Seconds below which `share` of the observations lie, by cumulative counts per upper bound; else NaN.

    Linear within a bucket, as Prometheus' histogram_quantile.
    """
    bounds = sorted((float(bound), count) for bound, count in buckets.items())
    if not bounds or bounds[-1][1] <= 0:
        return math.nan
    wanted = share * bounds[-1][1]
    below, low = 0.0, 0.0
    for bound, count in bounds:
        if count >= wanted:
            if math.isinf(bound):
                return low
            return low + (bound - low) * ((wanted - below) / (count - below) if count > below else 1.0)
        below, low = count, bound
    return low


@dataclass(slots=True)
class Figures:
    """Readings of the last minutes, taken only while somebody looks; belongs to one event loop."""

    client: RouterClient
    every_s: float
    clock: Callable[[], float] = time.time
    readings: deque[Reading] = field(default_factory=lambda: deque(maxlen=KEPT))
    problem: str = ""
    _wanted_at: float = 0.0

    async def wanted(self) -> None:
        """Somebody looks: takes a first reading where there is none that is new."""
        self._wanted_at = self.clock()
        if not self.readings or self.clock() - self.readings[-1].at > 2 * self.every_s:
            await self._read()

    async def run(self) -> None:
        """Reads again and again while somebody looks; for ever."""
        while True:
            await asyncio.sleep(self.every_s)
            if self.clock() - self._wanted_at < _WATCHED_S:
                await self._read()

    async def _read(self) -> None:
        try:
            answer = await self.client.metrics(PREFIXES)
        except RouterProblem as error:
            self.problem = str(error)
            return
        self.problem = ""
        at = answer.at_ms / 1_000
        if not self.readings or at > self.readings[-1].at:
            before = self.readings[-1] if self.readings else None
            self.readings.append(Reading.of(at, answer.samples, before))

    def window(self, seconds: float) -> tuple[Reading, Reading] | None:
        """The newest reading and the oldest at most `seconds` before it; None where there are not two."""
        kept = list(self.readings)
        if len(kept) < 2:
            return None
        first = next(reading for reading in kept if kept[-1].at - reading.at <= seconds)
        return (first, kept[-1]) if first is not kept[-1] else (kept[-2], kept[-1])
