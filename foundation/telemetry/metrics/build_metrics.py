"""Which version runs, and how often a replica of it was started, as metrics."""

from __future__ import annotations

import platform
from importlib import metadata

from foundation.telemetry.metrics.process_metrics import ProcessMetrics


class BuildMetrics:
    """The versions of Shopfront and of Python, and starts of replicas."""

    def __init__(self, metrics: ProcessMetrics) -> None:
        """Declares the metrics."""
        self._build = metrics.gauge(
            "build_info",
            "1, with the version of Shopfront and of Python as labels.",
            "livemax",
            "version",
            "python",
        )
        self._starts = metrics.counter(
            "replica_starts", "Replicas started, also in the place of ones that ended."
        )

    def report(self) -> None:
        """Sets the versions of this process, a replica that has just started."""
        self._starts.inc()
        self._build.labels(metadata.version("shopfront"), platform.python_version()).set(1)
