"""A plug-in whose replica hangs on request: the first to find a file blocks its event loop."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from foundation.telemetry.metrics.process_metrics import ProcessMetrics

VARIABLE = "SHOPFRONT_TEST_HANG_FILE"
HANG_S = 300.0
_LOOK_S = 0.1


class Hanging:
    """A metric group, which every replica opens at its start, and nothing else."""

    def __init__(self, metrics: ProcessMetrics) -> None:
        """Looks for the file again and again, where there is an event loop to block."""
        self._path = Path(os.environ.get(VARIABLE, ""))
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        self._look()

    def _look(self) -> None:
        try:
            self._path.rename(f"{self._path}.{os.getpid()}")
        except OSError:
            self._loop.call_later(_LOOK_S, self._look)
        else:
            time.sleep(HANG_S)


METRIC_GROUPS = {"hanging": Hanging}
