"""Reports now and then how full one process is: counting each call at once would cost more."""

from __future__ import annotations

from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from foundation.telemetry.metrics.queue_metrics import QueueMetrics
from router.service.admission import Admission
from router.service.admission_metrics import AdmissionMetrics
from router.service.compute_limiter import ComputeLimiter
from router.service.loop_load import LoopLoad
from router.service.quality import QualityFactors

_IN_PROGRESS = "calls_in_progress"
_WAITING = "calls_waiting"
_ADMITTED = "admitted"


class OverloadMetrics:
    """Admission, load of the event loop, and quality factors as metrics."""

    def __init__(
        self,
        metrics: ProcessMetrics,
        admission: Admission,
        limiter: ComputeLimiter,
        load: LoopLoad,
        quality: QualityFactors,
    ) -> None:
        """`metrics`: of this process; the others are read by `observe`."""
        self._metrics = metrics.group(AdmissionMetrics)
        self._queues = metrics.group(QueueMetrics)
        self._admission = admission
        self._limiter = limiter
        self._load = load
        self._quality = quality
        self._counted: dict[str, int] = {}

    def observe(self) -> None:
        """Sets the present load, and adds the outcomes of admission since the last call."""
        admission, metrics = self._admission, self._metrics
        self._add(_ADMITTED, admission.admitted)
        for reason, count in admission.refused.items():
            self._add(reason, count)
        self._queues.set_depth(_IN_PROGRESS, admission.in_progress)
        self._queues.set_depth(_WAITING, self._limiter.waiting)
        metrics.loop_utilisation.set(self._load.utilisation)
        metrics.call_cost.set(self._load.cost_s)
        self._quality.report(lambda scene, factor: metrics.quality_factor.labels(scene).set(factor))

    def _add(self, outcome: str, total: int) -> None:
        new = total - self._counted.get(outcome, 0)
        if new:
            self._metrics.admission[outcome,].inc(new)
            self._counted[outcome] = total
