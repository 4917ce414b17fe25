"""What is counted of rollouts."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

from foundation.telemetry.metrics.registry import Counts, RouterMetrics
from rollout.record import ModelRecord


class RolloutMetrics:
    """Metrics of one process, among the router's. One per `RouterMetrics`."""

    def __init__(self, metrics: RouterMetrics) -> None:
        registry = metrics.registry
        self._generation = Gauge(
            "shopfront_rollout_generation",
            "Generation of the rollout record a replica follows; equal everywhere within a poll.",
            ["model"],
            multiprocess_mode="liveall",
            registry=registry,
        )
        self._weight = Gauge(
            "shopfront_rollout_weight_basis_points",
            "Share of shoppers the candidate answers, as a replica follows it.",
            ["model"],
            multiprocess_mode="liveall",
            registry=registry,
        )
        self._ended = Gauge(
            "shopfront_rollout_ended_timestamp_seconds",
            "When the last rollout of a model ended in this way, unix seconds.",
            ["model", "phase"],
            multiprocess_mode="livemax",
            registry=registry,
        )
        self.answers = Counts(
            Counter(
                "shopfront_rollout_answers",
                "Answers of a rollout's arms: ok; fallback: the stable version scored in the candidate's "
                "place; error: none.",
                ["arm", "outcome"],
                registry=registry,
            )
        )
        self.copies = Counts(
            Counter(
                "shopfront_rollout_shadow_copies",
                "Copies of requests for the candidate: compared, failed, or dropped because it was busy.",
                ["outcome"],
                registry=registry,
            )
        )
        self.store_failures = Counter(
            "shopfront_rollout_store_failures",
            "Times the record of rollouts could not be read or counts not be written.",
            registry=registry,
        )

    def follow(self, record: ModelRecord) -> None:
        """States which record this replica acts on."""
        self._generation.labels(record.model).set(record.generation)
        rollout = record.active
        self._weight.labels(record.model).set(rollout.weight_bp if rollout is not None else 0)
        if record.rollout is not None and record.rollout.ended_at:
            self._ended.labels(record.model, record.rollout.phase.value).set(record.rollout.ended_at)
