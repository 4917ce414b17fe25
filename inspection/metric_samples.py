"""The counts of every process of a router, and of what supervises them, as samples."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path

from foundation.telemetry.metrics.endpoint import FolderCollector
from foundation.telemetry.metrics.supervision_metrics import supervised
from protos.shopfront.v1.admin_pb2 import MetricSample, ReadMetricsResponse

MAX_SAMPLES = 50_000
_FRESH_S = 1.0


class MetricSamples:
    """Reads the folder in which the processes count, at most once a second, in a thread."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        """`clock`: unix seconds."""
        self._collector = FolderCollector(folder, clock)
        self._folder = folder
        self._clock = clock
        self._read_at = 0.0
        self._samples: list[MetricSample] = []
        self._reading = asyncio.Lock()

    async def read(self, prefixes: Sequence[str]) -> ReadMetricsResponse:
        """Samples whose names begin with one of `prefixes`, or all where there is none."""
        async with self._reading:
            if self._clock() - self._read_at >= _FRESH_S:
                self._samples = await asyncio.to_thread(self._collect)
                self._read_at = self._clock()
        beginnings = tuple(prefixes) or ("",)
        return ReadMetricsResponse(
            samples=[sample for sample in self._samples if sample.name.startswith(beginnings)],
            at_ms=int(self._read_at * 1_000),
        )

    def _collect(self) -> list[MetricSample]:
        samples = (
            MetricSample(name=sample.name, labels=sample.labels, value=sample.value)
            for metric in chain(self._collector.collect(), supervised(self._folder))
            for sample in metric.samples
        )
        return [sample for sample, _ in zip(samples, range(MAX_SAMPLES), strict=False)]
