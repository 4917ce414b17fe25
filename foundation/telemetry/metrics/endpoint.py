"""Serves /metrics of every process that counts in one folder."""

import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, Metric, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from foundation.telemetry.metrics.counts_file import is_whole

_FILE = re.compile(r"^(?:counter|histogram|summary|gauge_[a-z]+)_(\d+)\.db$")
_CREATED = "shopfront_snapshot_created_timestamp_seconds"
_SNAPSHOT_INFO = "shopfront_snapshot_info"


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _dead_processes(folder: Path) -> set[int]:
    found = {int(match[1]) for path in folder.iterdir() if (match := _FILE.match(path.name))}
    return {pid for pid in found if not _alive(pid)}


def prepare_folder(folder: Path) -> None:
    """Makes the folder and removes the counts of processes that no longer run; called at start, once.

    Prometheus takes a counter that begins again at 0 for the restart it is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    dead = _dead_processes(folder)
    for path in folder.iterdir():
        match = _FILE.match(path.name)
        if match and int(match[1]) in dead:
            path.unlink(missing_ok=True)


class FolderCollector(Collector):
    """Adds up the counts of all processes; gauges of processes that have died no longer take part."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        """`clock` gives unix seconds."""
        self._folder = folder
        self._clock = clock
        self._sweeping = threading.Lock()

    def collect(self) -> Iterator[Metric]:
        """The metrics of the folder, and the age of the snapshot as of now."""
        with self._sweeping:
            for pid in _dead_processes(self._folder):
                mark_process_dead(pid, str(self._folder))
            files = [str(path) for path in sorted(self._folder.glob("*.db")) if is_whole(path)]
            collected = list(MultiProcessCollector.merge(files, accumulate=True))
        for metric in collected:
            if metric.name == _SNAPSHOT_INFO:
                metric.samples = [sample for sample in metric.samples if sample.value]
            yield metric
            # 0 is what a gauge holds before the first snapshot is loaded.
            created = [sample.value for sample in metric.samples if metric.name == _CREATED and sample.value]
            if created:
                yield GaugeMetricFamily(
                    "shopfront_snapshot_age_seconds",
                    "Age of the oldest snapshot in service.",
                    value=max(0.0, self._clock() - created[0]),
                )


class MetricsServer:
    """A running endpoint; `port` is the port it listens on."""

    def __init__(
        self,
        port: int,
        folder: Path,
        clock: Callable[[], float] = time.time,
        host: str = "127.0.0.1",
        registry: CollectorRegistry | None = None,
    ) -> None:
        """Starts to listen; arguments as of `serve_metrics`."""
        registry = registry or CollectorRegistry()
        registry.register(FolderCollector(folder, clock))
        try:
            self._server, self._thread = start_http_server(port, addr=host, registry=registry)
        except OSError as error:
            raise OSError(
                error.errno,
                f"metrics cannot be served on {host}:{port} ({error.strerror}); stop what holds it, or set "
                "metrics.port",
            ) from error
        self.port: int = self._server.server_port

    def close(self) -> None:
        """Stops listening and ends the thread."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def serve_metrics(
    port: int,
    folder: Path,
    clock: Callable[[], float] = time.time,
    host: str = "127.0.0.1",
    registry: CollectorRegistry | None = None,
) -> MetricsServer:
    """Serves http://<host>:<port>/metrics from a thread; port 0 takes a free one.

    `registry`: what the calling process counts itself, served next to the folder's.

    Raises:
        OSError: the port is taken; the message names it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return MetricsServer(port, folder, clock, host, registry)
