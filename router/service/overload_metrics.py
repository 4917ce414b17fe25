"""States now and then how full one process is: counting each call at once would cost it more."""

from __future__ import annotations

from foundation.telemetry.metrics.registry import RouterMetrics
from router.service.admission import Admission
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
        metrics: RouterMetrics,
        admission: Admission,
        limiter: ComputeLimiter,
        load: LoopLoad,
        quality: QualityFactors,
    ) -> None:
        self._metrics = metrics
        self._admission = admission
        self._limiter = limiter
        self._load = load
        self._quality = quality
        self._counted: dict[str, int] = {}

    def observe(self) -> None:
        """States what holds now, and adds what admission said since the last time."""
        admission, metrics = self._admission, self._metrics
        turned_away = admission.refused["deadline"]
        self._add(_ADMITTED, admission.admitted - turned_away)
        for reason, count in admission.refused.items():
            self._add(reason, count)
        metrics.set_queue_depth(_IN_PROGRESS, admission.in_progress)
        metrics.set_queue_depth(_WAITING, self._limiter.waiting)
        metrics.loop_utilisation.set(self._load.utilisation)
        metrics.call_cost.set(self._load.cost_s)
        self._quality.report(lambda scene, factor: metrics.quality_factor.labels(scene).set(factor))

    def _add(self, outcome: str, total: int) -> None:
        new = total - self._counted.get(outcome, 0)
        if new:
            self._metrics.admission[outcome,].inc(new)
            self._counted[outcome] = total
