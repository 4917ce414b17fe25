"""The router's metrics, their names and labels.

Every process counts in files of one folder, and the endpoint adds them up (`prometheus_client`'s multiprocess
mode). Label values come from the configuration or from code, never from a caller: a request for a scene that
does not exist is counted under scene "". Finding a child costs one dictionary look-up; on one core of a cloud
machine a count takes about 1 µs and an observation about 2 µs.
"""

import os
import platform
import threading
from importlib import metadata
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, values

REQUEST_BUCKETS = (0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 10.0)
STAGE_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 1.0)


class Counts(dict[tuple[str, ...], Counter]):
    """Children of a counter by label values, made when first asked for."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter

    def __missing__(self, labels: tuple[str, ...]) -> Counter:
        child = self[labels] = self._counter.labels(*labels)
        return child


class Timings(dict[tuple[str, ...], Histogram]):
    """Children of a histogram by label values, made when first asked for."""

    def __init__(self, histogram: Histogram) -> None:
        self._histogram = histogram

    def __missing__(self, labels: tuple[str, ...]) -> Histogram:
        child = self[labels] = self._histogram.labels(*labels)
        return child


class RouterMetrics:
    """All metrics of one process; `self.registry` collects them where they are not kept in files."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = self._counts("requests", "Requests by gRPC status.", "method", "scene", "code")
        self.request_seconds = self._timings(
            "request_seconds", "Seconds from arrival to answer.", REQUEST_BUCKETS, "method", "scene"
        )

        self.stage_seconds = self._timings(
            "stage_seconds", "Seconds a stage took.", STAGE_BUCKETS, "scene", "stage"
        )
        self.stage_outcomes = self._counts(
            "stage_outcomes",
            "Stages by outcome: ok, partial, timeout, failed, skipped.",
            "scene",
            "stage",
            "outcome",
        )
        self.candidates_in = self._counts(
            "stage_candidates_in", "Candidates given to a stage.", "scene", "stage"
        )
        self.candidates_out = self._counts(
            "stage_candidates_out", "Candidates handed on by a stage.", "scene", "stage"
        )
        self.removed = self._counts(
            "candidates_removed", "Candidates removed, by reason.", "scene", "stage", "reason"
        )
        self.degraded = self._counts(
            "degraded_answers", "Answers in which a part did not take part.", "scene", "part"
        )
        self.slots_wanted = self._counts("page_slots_wanted", "Items asked for.", "scene")
        self.slots_filled = self._counts("page_slots_filled", "Items answered.", "scene")

        self.admission = self._counts(
            "admission",
            "Calls by what admission said: admitted, or refused for want of places (concurrency) or of time "
            "(deadline).",
            "outcome",
        )
        self.loop_utilisation = Gauge(
            "shopfront_loop_utilisation",
            "Part of its time in which an event loop is busy, 0 to 1; the fullest of all processes.",
            multiprocess_mode="livemax",
            registry=self.registry,
        )
        self.call_cost = Gauge(
            "shopfront_call_cost_seconds",
            "Seconds of the event loop that a call takes; the most of all processes.",
            multiprocess_mode="livemax",
            registry=self.registry,
        )
        self.quality_factor = Gauge(
            "shopfront_quality_factor",
            "Part of their width that requests are given, 0 to 1; the least of all processes.",
            ["scene"],
            multiprocess_mode="livemin",
            registry=self.registry,
        )

        self.exposures = self._counts(
            "exposures", "Answers made by an arm of an experiment, and logged.", "experiment", "arm"
        )

        self.circuits = self._counts(
            "model_circuit_events",
            "What became of calls to a model that hangs: opened, refused (one each), closed.",
            "model",
            "event",
        )

        self.side_effects = self._counts(
            "side_effects", "Side effects by outcome: ok, timeout, failed, dropped.", "name", "outcome"
        )
        self.side_effect_seconds = self._timings(
            "side_effect_seconds", "Seconds a side effect took.", STAGE_BUCKETS, "name"
        )
        self.served_items_dropped = Counter(
            "shopfront_served_items_dropped",
            "Served items not noted in the user's impressions.",
            registry=self.registry,
        )
        self.events_repeated = Counter(
            "shopfront_events_repeated",
            "Reported events whose event_id was stored before.",
            registry=self.registry,
        )
        self.state_reads_failed = Counter(
            "shopfront_state_reads_failed",
            "Reads of user state that the store did not answer in time.",
            registry=self.registry,
        )
        self.state_available = Gauge(
            "shopfront_state_available",
            "1 where the state store answered last, 0 where it did not; the least of all processes.",
            multiprocess_mode="livemin",
            registry=self.registry,
        )
        self.state_commits = Counter(
            "shopfront_state_commits",
            "Transactions that stored events or impressions.",
            registry=self.registry,
        )

        self.recorded = self._counts(
            "recorded_requests",
            "Requests chosen for the recording: written, dropped (the disk was behind), full (max_bytes "
            "reached), too_large (for a file), failed.",
            "outcome",
        )

        self.events = self._counts("events", "Reported events: accepted or refused.", "outcome")
        self.events_refused = self._counts("events_refused", "Refused events by field at fault.", "field")
        self.events_unknown_item = Counter(
            "shopfront_events_unknown_item",
            "Accepted events of items outside the catalogue.",
            registry=self.registry,
        )

        self.snapshot_loads = self._counts(
            "snapshot_loads", "Snapshots picked up: loaded or refused.", "result"
        )
        self.config_reloads = self._counts(
            "config_reloads", "Edits of the configuration: loaded or refused.", "result"
        )
        self.snapshot_created = Gauge(
            "shopfront_snapshot_created_timestamp_seconds",
            "When the served snapshot was made, unix seconds; the oldest of all processes.",
            multiprocess_mode="livemin",
            registry=self.registry,
        )
        self.snapshot_loaded = Gauge(
            "shopfront_snapshot_loaded_timestamp_seconds",
            "When the served snapshot was taken up, unix seconds; the latest of all processes.",
            multiprocess_mode="livemax",
            registry=self.registry,
        )
        self._snapshot_info = Gauge(
            "shopfront_snapshot_info",
            "Processes that serve a snapshot, by its id.",
            ["snapshot_id"],
            multiprocess_mode="livesum",
            registry=self.registry,
        )
        self._snapshot_id = ""
        self._build_info = Gauge(
            "shopfront_build_info",
            "1, with the version of Shopfront and of Python as labels.",
            ["version", "python"],
            multiprocess_mode="livemax",
            registry=self.registry,
        )
        self.model_answers = self._counts(
            "model_answers",
            "Answers by the model version that scored their items; both empty where none did.",
            "scene",
            "model",
            "version",
        )
        self._queue_limit = Gauge(
            "shopfront_queue_limit",
            "Most work a queue takes, all processes together; what exceeds it is refused or dropped.",
            ["queue"],
            multiprocess_mode="livesum",
            registry=self.registry,
        )
        self._queue_depth = Gauge(
            "shopfront_queue_depth",
            "Work waiting, all processes together.",
            ["queue"],
            multiprocess_mode="livesum",
            registry=self.registry,
        )
        self._queues: dict[str, Gauge] = {}

    def set_queue_depth(self, queue: str, depth: int) -> None:
        """States how much waits in a queue of this process, for example `state_events`."""
        child = self._queues.get(queue)
        if child is None:
            child = self._queues[queue] = self._queue_depth.labels(queue)
        child.set(depth)

    def set_queue_limit(self, queue: str, limit: int) -> None:
        """States how much a queue of this process takes."""
        self._queue_limit.labels(queue).set(limit)

    def serve_snapshot(self, snapshot_id: str, created: float, loaded: float) -> None:
        """States which snapshot this process serves; `created`, `loaded`: unix seconds."""
        if self._snapshot_id:
            # Its row stays in the file; the endpoint leaves rows of 0 out.
            self._snapshot_info.labels(self._snapshot_id).set(0)
        self._snapshot_id = snapshot_id
        self._snapshot_info.labels(snapshot_id).set(1)
        self.snapshot_created.set(created)
        self.snapshot_loaded.set(loaded)

    def state_build(self) -> None:
        """States which version runs."""
        self._build_info.labels(metadata.version("shopfront"), platform.python_version()).set(1)

    def observe_request(self, method: str, scene: str, code: str, seconds: float) -> None:
        """One request was answered; `scene` is "" where it is not a configured one, `code` a gRPC name."""
        self.requests[method, scene, code].inc()
        self.request_seconds[method, scene].observe(seconds)

    def observe_circuit(self, model: str, event: str) -> None:
        """A circuit of `model` opened or closed, or refused a call; `event` as `circuit_breaker.Event`."""
        self.circuits[model, event].inc()

    def observe_events(self, accepted: int, unknown_items: int, refused_fields: list[str]) -> None:
        """One ReportEvents was answered; `refused_fields` has the field at fault of each refused event."""
        if accepted:
            self.events["accepted",].inc(accepted)
        if unknown_items:
            self.events_unknown_item.inc(unknown_items)
        if refused_fields:
            self.events["refused",].inc(len(refused_fields))
        for field in refused_fields:
            self.events_refused[field,].inc()

    def _counts(self, name: str, documentation: str, *labels: str) -> Counts:
        return Counts(Counter(f"shopfront_{name}", documentation, labels, registry=self.registry))

    def _timings(self, name: str, documentation: str, buckets: tuple[float, ...], *labels: str) -> Timings:
        return Timings(
            Histogram(f"shopfront_{name}", documentation, labels, buckets=buckets, registry=self.registry)
        )


_opened: dict[Path, RouterMetrics] = {}
_opening = threading.Lock()


def open_metrics(folder: Path) -> RouterMetrics:
    """The metrics of this process, counted in files of `folder`, which is made where it is missing.

    There is one set per process, since two would overwrite each other's files: asked again it returns the
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
        if not values.ValueClass._multiprocess:
            values.ValueClass = values.MultiProcessValue()
        _opened[folder] = RouterMetrics()
        return _opened[folder]
