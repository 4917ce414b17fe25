"""The metrics of snapshots and of the configuration that is served."""

from __future__ import annotations

from foundation.telemetry.metrics.process_metrics import ProcessMetrics


class SnapshotMetrics:
    """Which snapshot a process serves, and what became of new snapshots and of edits."""

    def __init__(self, metrics: ProcessMetrics) -> None:
        """Declares the metrics."""
        self.loads = metrics.counts(
            "snapshot_loads",
            "Snapshots picked up: loaded, refused, or fallback: an older one, as the published is damaged.",
            "result",
        )
        self.verifications = metrics.counts(
            "snapshot_verifications", "Verifications of the served snapshot: intact or damaged.", "result"
        )
        self.damaged = metrics.gauge(
            "snapshot_damaged",
            "1 where a process serves a snapshot found damaged, as no intact one is on disk, else 0; the "
            "highest of all processes.",
            "livemax",
        )
        self.config_reloads = metrics.counts(
            "config_reloads", "Edits of the configuration: loaded or refused.", "result"
        )
        self.created = metrics.gauge(
            "snapshot_created_timestamp_seconds",
            "When the served snapshot was made, unix seconds; the oldest of all processes.",
            "livemin",
        )
        self.loaded = metrics.gauge(
            "snapshot_loaded_timestamp_seconds",
            "When the served snapshot was loaded, unix seconds; the latest of all processes.",
            "livemax",
        )
        self._info = metrics.gauge(
            "snapshot_info", "Processes that serve a snapshot, by its id.", "livesum", "snapshot_id"
        )
        self._snapshot_id = ""

    def serve(self, snapshot_id: str, created: float, loaded: float) -> None:
        """Sets which snapshot this process serves; `created`, `loaded`: unix seconds."""
        if self._snapshot_id:
            # Its row stays in the file; the endpoint leaves rows of 0 out.
            self._info.labels(self._snapshot_id).set(0)
        self._snapshot_id = snapshot_id
        self._info.labels(snapshot_id).set(1)
        self.created.set(created)
        self.loaded.set(loaded)
