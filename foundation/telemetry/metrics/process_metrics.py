"""What one process counts: a base on which each package declares its own metrics, as a group.

Every process counts in files of one folder, and the endpoint adds them up (`prometheus_client`'s multiprocess
mode, its files written from memory: `counts_file`). Label values come from the configuration or from code,
never from a caller: a request for a scene that does not exist is counted under scene "". Finding a child
costs one dictionary look-up; on one core of a cloud machine a count takes about 1 µs and an observation about
2 µs.

A group is a class whose constructor takes the `ProcessMetrics` and declares its metrics with `counts`,
`counter`, `timings` and `gauge`; `server.metric_groups` lists the groups that a router opens at its start.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeVar, cast

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, values

from foundation.telemetry.metrics.counts_file import CountsFile, flush_counts

PREFIX = "shopfront_"
STAGE_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 1.0)
"""Upper bounds of histograms of a part of a request, seconds."""

G = TypeVar("G")


class Counts(dict[tuple[str, ...], Counter]):
    """Children of a counter by label values, made when first used."""

    def __init__(self, counter: Counter) -> None:
        """Wraps `counter`."""
        self._counter = counter

    def __missing__(self, labels: tuple[str, ...]) -> Counter:
        """The child with these label values."""
        child = self[labels] = self._counter.labels(*labels)
        return child


class Timings(dict[tuple[str, ...], Histogram]):
    """Children of a histogram by label values, made when first used."""

    def __init__(self, histogram: Histogram) -> None:
        """Wraps `histogram`."""
        self._histogram = histogram

    def __missing__(self, labels: tuple[str, ...]) -> Histogram:
        """The child with these label values."""
        child = self[labels] = self._histogram.labels(*labels)
        return child


class ProcessMetrics:
    """All metrics of one process; `registry` collects them where they are not kept in files.

    Example:
        >>> class VisitMetrics:
        ...     def __init__(self, metrics: ProcessMetrics) -> None:
        ...         self.visits = metrics.counts("visits", "Visits by page.", "page")
        >>> metrics = ProcessMetrics()
        >>> metrics.group(VisitMetrics).visits["home",].inc()
        >>> metrics.registry.get_sample_value("shopfront_visits_total", {"page": "home"})
        1.0
    """

    def __init__(self) -> None:
        """Creates the base; metrics are declared by groups."""
        self.registry = CollectorRegistry()
        self._groups: dict[object, object] = {}

    def group(self, kind: Callable[[ProcessMetrics], G]) -> G:
        """The group of this kind, created when first used: there is one per process."""
        if kind not in self._groups:
            self._groups[kind] = kind(self)
        return cast(G, self._groups[kind])

    def counts(self, name: str, documentation: str, *labels: str) -> Counts:
        """Declares a counter with labels; its series is `shopfront_<name>_total`."""
        return Counts(Counter(PREFIX + name, documentation, labels, registry=self.registry))

    def counter(self, name: str, documentation: str) -> Counter:
        """Declares a counter without labels; its series is `shopfront_<name>_total`."""
        return Counter(PREFIX + name, documentation, registry=self.registry)

    def timings(self, name: str, documentation: str, buckets: tuple[float, ...], *labels: str) -> Timings:
        """Declares a histogram `shopfront_<name>`; `buckets` are its upper bounds, seconds."""
        return Timings(
            Histogram(PREFIX + name, documentation, labels, buckets=buckets, registry=self.registry)
        )

    def gauge(
        self,
        name: str,
        documentation: str,
        over_processes: Literal["liveall", "livemax", "livemin", "livesum"],
        *labels: str,
    ) -> Gauge:
        """Declares a gauge `shopfront_<name>`.

        Args:
            name: without the prefix.
            documentation: its help text.
            over_processes: which value of the living processes the endpoint shows.
            labels: names of its labels.
        """
        return Gauge(
            PREFIX + name, documentation, labels, multiprocess_mode=over_processes, registry=self.registry
        )


_opened: dict[Path, ProcessMetrics] = {}
_opening = threading.Lock()


def open_metrics(folder: Path) -> ProcessMetrics:
    """The metrics of this process, counted in files of `folder`, which is made where it is missing.

    There is one set per process, since two would overwrite each other's files: called again it returns the
    same.

    Raises:
        RuntimeError: this process already counts in another folder.
    """
    folder = folder.resolve()
    with _opening:
        if folder in _opened:
            return _opened[folder]
        if _opened:
            raise RuntimeError(f"this process counts in {next(iter(_opened))} already, not in {folder}")
        folder.mkdir(parents=True, exist_ok=True)
        # The library reads the folder from its environment variable when a file is opened, but decides at
        # import whether to use files at all, which may have happened before the folder was known.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
        # There is no other way to have the library count in anything but mapped files.
        vars(values)["MmapedDict"] = CountsFile
        atexit.register(flush_counts)
        if not values.ValueClass._multiprocess:
            values.ValueClass = values.MultiProcessValue()
        _opened[folder] = ProcessMetrics()
        return _opened[folder]
