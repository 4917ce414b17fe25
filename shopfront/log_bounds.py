"""Keeps the logs that other programs write, and hold open, from growing without end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from foundation.telemetry.logs.rotation import move_if_full
from router.service.settings import RequestLogSettings

_PAUSE_S = 60.0


class LogBounds:
    """Moves logs of other programs away once they are large; `replicas.log` is moved by its writers.

    A log that cannot be moved (no room on the disk for its copy) is reported, and tried again a minute later.
    """

    def __init__(
        self,
        folder: Path,
        settings: RequestLogSettings,
        report: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        """`folder`: that of `triton.log` and `console.log`; `clock`: seconds, which only grow."""
        own = (settings.folder / name for name in ("router.log", "learner.log"))
        self._logs = (*own, folder / "triton.log", folder / "console.log")
        self._settings = settings
        self._report = report
        self._clock = clock
        self._due = clock()

    def look(self) -> None:
        """Moves what is full now; costs a `stat` call each where nothing is."""
        if self._clock() < self._due:
            return
        for log in self._logs:
            try:
                move_if_full(log, self._settings.max_file_mib, self._settings.kept_files)
            except OSError as error:
                self._due = self._clock() + _PAUSE_S
                self._report(f"{log} is full and cannot be moved: {error.strerror}; it continues to grow")
