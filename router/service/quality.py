"""The quality factors of one process, by scene."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from pipeline.quality_factor import QualityFactor, QualityRule
from router.scenes.settings import SceneSettings

_OFF = QualityRule(target_ms=math.inf)


class QualityFactors:
    """Keeps a factor per scene, over reloads of the configuration; one event loop only."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """No scene has a factor yet; `clock`: monotonic seconds."""
        self._clock = clock
        self._factors: dict[str, tuple[SceneSettings, QualityFactor]] = {}

    def of(self, scene: str, settings: SceneSettings) -> QualityFactor:
        """The scene's factor; under changed settings it continues from its present value.

        `settings` are those of the scene itself, not of an experiment's arm: all arms share one factor, so
        that overload treats them alike.
        """
        known = self._factors.get(scene)
        if known is not None and known[0] is settings:
            return known[1]
        factor = QualityFactor(rule_of(settings), self._clock)
        if known is not None and settings.quality is not None:
            factor.go_on_from(known[1])
        self._factors[scene] = settings, factor
        return factor

    def report(self, tell: Callable[[str, float], None]) -> None:
        """Reports the width that each scene's requests are given."""
        for scene, (_, factor) in self._factors.items():
            tell(scene, factor.width)


def rule_of(settings: SceneSettings) -> QualityRule:
    """The rule a scene's settings stand for; one that never narrows where it has none."""
    quality = settings.quality
    if quality is None:
        return _OFF
    target_ms = settings.deadline.budget_ms / 2 if quality.target_ms is None else quality.target_ms
    return QualityRule(
        target_ms,
        quality.percentile,
        quality.step,
        quality.minimum,
        quality.levels,
        quality.recover_s,
        quality.widen_every_s,
    )
