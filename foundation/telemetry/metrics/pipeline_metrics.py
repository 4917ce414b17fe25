"""The metrics of scenes' pipelines: stages, pages and side effects."""

from __future__ import annotations

from foundation.telemetry.metrics.process_metrics import STAGE_BUCKETS, ProcessMetrics


class PipelineMetrics:
    """What `PrometheusStageMetrics` counts."""

    def __init__(self, metrics: ProcessMetrics) -> None:
        """Declares the metrics."""
        self.stage_seconds = metrics.timings(
            "stage_seconds", "Seconds a stage took.", STAGE_BUCKETS, "scene", "stage"
        )
        self.stage_outcomes = metrics.counts(
            "stage_outcomes",
            "Stages by outcome: ok, partial, timeout, failed, skipped.",
            "scene",
            "stage",
            "outcome",
        )
        self.candidates_in = metrics.counts(
            "stage_candidates_in", "Candidates given to a stage.", "scene", "stage"
        )
        self.candidates_out = metrics.counts(
            "stage_candidates_out", "Candidates returned by a stage.", "scene", "stage"
        )
        self.removed = metrics.counts(
            "candidates_removed", "Candidates removed, by reason.", "scene", "stage", "reason"
        )
        self.degraded = metrics.counts(
            "degraded_answers", "Answers in which a part did not take part.", "scene", "part"
        )
        self.slots_wanted = metrics.counts("page_slots_wanted", "Items requested.", "scene")
        self.slots_filled = metrics.counts("page_slots_filled", "Items answered.", "scene")
        self.side_effects = metrics.counts(
            "side_effects", "Side effects by outcome: ok, timeout, failed, dropped.", "name", "outcome"
        )
        self.side_effect_seconds = metrics.timings(
            "side_effect_seconds", "Seconds a side effect took.", STAGE_BUCKETS, "name"
        )
