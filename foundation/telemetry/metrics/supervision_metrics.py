"""Counts restarts of the parts that the supervisor watches."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Metric

Part = Literal["router", "triton", "console", "learner"]
PARTS: tuple[Part, ...] = get_args(Part)
FILE = "supervision.json"
"""In the folder in which the processes count: what the supervisor counts, for those that read the folder."""
MAX_BYTES = 64 * 1024

logger = logging.getLogger(__name__)


class SupervisionMetrics:
    """Kept in this process's memory, which also serves /metrics, and in a small file for the router."""

    def __init__(self, folder: Path | None = None, clock: Callable[[], float] = time.time) -> None:
        """Declares the metrics, each part as not lost.

        Args:
            folder: in which the processes count; None: no file is written.
            clock: unix seconds.
        """
        self.registry = CollectorRegistry()
        self._file = None if folder is None else folder / FILE
        self._clock = clock
        self._restarts = Counter(
            "shopfront_restarts",
            "Starts of a part that had died, by outcome: restarted, failed.",
            ["part", "outcome"],
            registry=self.registry,
        )
        self._lost = Gauge(
            "shopfront_part_lost",
            "1 from the death of a part until another serves in its place, else 0.",
            ["part"],
            registry=self.registry,
        )
        self._lost_at = Gauge(
            "shopfront_part_lost_timestamp_seconds",
            "When a part died last, unix seconds; 0 = it has not.",
            ["part"],
            registry=self.registry,
        )
        for part in PARTS:
            self._lost.labels(part)
            self._lost_at.labels(part)
            for outcome in ("restarted", "failed"):
                self._restarts.labels(part, outcome)
        self._write()

    def lost(self, part: Part) -> None:
        """Notes that the part has died."""
        self._lost.labels(part).set(1)
        self._lost_at.labels(part).set(self._clock())
        self._write()

    def restarted(self, part: Part) -> None:
        """Notes that another part serves in its place."""
        self._restarts.labels(part, "restarted").inc()
        self._lost.labels(part).set(0)
        self._write()

    def failed(self, part: Part) -> None:
        """Notes that a start did not succeed."""
        self._restarts.labels(part, "failed").inc()
        self._write()

    def _write(self) -> None:
        """Replaces the file; a disk that refuses costs the figures, nothing else."""
        if self._file is None:
            return
        # Not the registry's: what serves it adds the counts of every process.
        rows = [
            [sample.name, sample.labels, sample.value]
            for declared in (self._restarts, self._lost, self._lost_at)
            for metric in declared.collect()
            for sample in metric.samples
            if not sample.name.endswith("_created")
        ]
        temporary = self._file.with_suffix(f".{os.getpid()}.tmp")
        try:
            temporary.write_text(json.dumps(rows), encoding="utf-8")
            temporary.replace(self._file)
        except OSError as error:
            logger.warning("restarts cannot be counted in %s: %s", self._file, error)


def supervised(folder: Path) -> Iterator[Metric]:
    """What a supervisor counts in a folder; nothing where there is none, or its file is damaged."""
    try:
        with (folder / FILE).open("rb") as file:
            rows = json.loads(file.read(MAX_BYTES))
        for name, labels, value in rows:
            metric = Metric(str(name), "", "unknown")
            metric.add_sample(
                str(name), {str(label): str(text) for label, text in labels.items()}, float(value)
            )
            yield metric
    except FileNotFoundError:
        return
    except (OSError, ValueError, TypeError, AttributeError) as error:
        logger.warning("%s cannot be read: %s", folder / FILE, error)
