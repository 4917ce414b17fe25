"""The quality factors of one process, by scene."""

from __future__ import annotations

import math
from collections.abc import Callable

from pipeline.quality_factor import QualityFactor, QualityRule
from router.scenes.settings import SceneSettings

_OFF = QualityRule(target_ms=math.inf)


class QualityFactors:
    """Keeps a factor per scene, over reloads of the configuration; one event loop only."""

    def __init__(self) -> None:
        """No scene has a factor yet."""
        self._factors: dict[str, tuple[SceneSettings, QualityFactor]] = {}

    def of(self, scene: str, settings: SceneSettings) -> QualityFactor:
        """The scene's factor; under changed settings it continues from its present value.

        `settings` are those of the scene itself, not of an experiment's arm: all arms share one factor, so
        that overload treats them alike.
        """
        known = self._factors.get(scene)
        if known is not None and known[0] is settings:
            return known[1]
        factor = QualityFactor(rule_of(settings))
        if known is not None:
            factor.value = min(1.0, max(factor.rule.minimum, known[1].value))
        if settings.quality is None:
            factor.value = 1.0
        self._factors[scene] = settings, factor
        return factor

    def report(self, tell: Callable[[str, float], None]) -> None:
        """Tells each scene's factor."""
        for scene, (_, factor) in self._factors.items():
            tell(scene, factor.value)


def rule_of(settings: SceneSettings) -> QualityRule:
    """The rule a scene's settings stand for; one that never narrows where it has none."""
    quality = settings.quality
    if quality is None:
        return _OFF
    target_ms = settings.deadline.budget_ms / 2 if quality.target_ms is None else quality.target_ms
    return QualityRule(target_ms, quality.percentile, quality.step, quality.minimum)
