"""Which version runs, as a metric."""

from __future__ import annotations

import platform
from importlib import metadata

from foundation.telemetry.metrics.process_metrics import ProcessMetrics


class BuildMetrics:
    """The versions of Shopfront and of Python."""

    def __init__(self, metrics: ProcessMetrics) -> None:
        """Declares the metric."""
        self._build = metrics.gauge(
            "build_info",
            "1, with the version of Shopfront and of Python as labels.",
            "livemax",
            "version",
            "python",
        )

    def report(self) -> None:
        """Sets the versions of this process."""
        self._build.labels(metadata.version("shopfront"), platform.python_version()).set(1)
