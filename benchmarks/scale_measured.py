"""What a part of a process's work takes: seconds, processor seconds, and its peak of resident memory."""

from __future__ import annotations

import re
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console

from shopfront.progress import Progress, Step


@dataclass
class Taken:
    """What a part took; peaks are MiB of the process's resident set, and contain what was there before it."""

    seconds: float = 0.0
    cpu_s: float = 0.0
    peak_mib: float = 0.0

    def written(self, name: str) -> dict[str, float]:
        """The figures as `<name> seconds` and so on."""
        return {f"{name} {figure}": round(value, 3) for figure, value in asdict(self).items()}


@contextmanager
def taken() -> Iterator[Taken]:
    """Measures the body; children of the process count in `cpu_s` once they have ended."""
    # The kernel's sign for: begin the peak anew.
    Path("/proc/self/clear_refs").write_text("5")
    measured, began, spent = Taken(), time.monotonic(), _cpu_s()
    yield measured
    measured.seconds, measured.cpu_s = time.monotonic() - began, _cpu_s() - spent
    measured.peak_mib = resident_mib("VmHWM")


def resident_mib(figure: str = "VmRSS") -> float:
    """A figure of /proc/self/status, MiB."""
    (found,) = re.findall(rf"^{figure}:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found) / 1024


def _cpu_s() -> float:
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


@dataclass
class Parts:
    """What each of the parts took that a build tells its progress of, in their order."""

    found: dict[str, Taken] = field(default_factory=dict)
    _open: list[object] = field(default_factory=list)

    def begin(self, name: str) -> None:
        """The part before has ended, and this one begins."""
        self.end()
        measuring = taken()
        self.found[name] = measuring.__enter__()
        self._open.append(measuring)

    def end(self) -> None:
        """The last part has ended."""
        while self._open:
            self._open.pop().__exit__(None, None, None)  # type: ignore[attr-defined]


class _PartsStep(Step):
    """A step whose stages are measured, and nothing is drawn."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.ended: float | None = None

    def stage(self, what: str, share: float) -> None:
        if share < 1:
            self._parts.begin(what)
        else:
            self._parts.end()

    def counted(self, what: str, done: int, of: int) -> None:
        pass

    def training(self, step: int, steps: int, loss: float, metrics: dict[str, float]) -> None:
        pass


class PartsProgress(Progress):
    """The progress of a build whose stages are measured one by one."""

    def __init__(self, console: Console) -> None:
        """Prints to `console` what a build says besides."""
        super().__init__(console)
        self.parts = Parts()

    @contextmanager
    def step(self, name: str, began: float | None = None) -> Iterator[Step]:
        """Measures the stages that the body tells of; what it does before the first is one called `name`."""
        del began
        self.parts.begin(name)
        try:
            yield _PartsStep(self.parts)
        finally:
            self.parts.end()
