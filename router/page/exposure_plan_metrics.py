"""The metrics of exposure plans: what they changed of pages, and what that cost."""

from __future__ import annotations

from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from pipeline.budgeted_swaps import Swapped


class ExposurePlanMetrics:
    """Changed slots and lost value by scene."""

    def __init__(self, metrics: ProcessMetrics) -> None:
        """Declares the metrics."""
        self._slots = metrics.counts(
            "exposure_plan_slots",
            "Slots that plans changed: taken_off by a cap, held_back by a pace, lifted by a guarantee.",
            "scene",
            "change",
        )
        self._value = metrics.counts(
            "exposure_plan_value", "Summed scores of the pages that exposure plans were about.", "scene"
        )
        self._lost = metrics.counts(
            "exposure_plan_lost", "Summed scores that pace and guarantees took from these pages.", "scene"
        )

    def observe(self, scene: str, swapped: Swapped) -> None:
        """Counts one page."""
        self._slots[scene, "taken_off"].inc(int(swapped.removed.sum()))
        self._slots[scene, "held_back"].inc(int(swapped.held.sum()))
        self._slots[scene, "lifted"].inc(int(swapped.lifted.sum()))
        self._value[(scene,)].inc(swapped.value)
        self._lost[(scene,)].inc(max(float(swapped.lost.sum()), 0.0))
