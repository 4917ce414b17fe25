"""A factor belongs to a scene: it outlives edits of the configuration, and arms share it."""

from __future__ import annotations

import math

from router.scenes.settings import SceneSettings
from router.scenes.time_settings import DeadlineSettings, QualitySettings
from router.service.quality import QualityFactors, rule_of


def test_half_of_the_budget_is_the_target_where_none_is_set() -> None:
    assert rule_of(SceneSettings(deadline=DeadlineSettings(budget_ms=240.0))).target_ms == 120.0
    assert rule_of(SceneSettings(quality=QualitySettings(target_ms=70.0))).target_ms == 70.0
    assert rule_of(SceneSettings(quality=None)).target_ms == math.inf


def test_a_factor_outlives_an_edit_within_its_new_bounds() -> None:
    factors, scene = QualityFactors(lambda: 0.0), SceneSettings()
    for _ in range(10):
        factors.of("home", scene).observe(1_000.0)
    narrow = factors.of("home", scene).value
    assert narrow < 1.0
    assert factors.of("cart", scene).value == 1.0
    edited = SceneSettings(candidates=400)
    assert factors.of("home", edited).value == narrow
    stricter = SceneSettings(quality=QualitySettings(minimum=0.9))
    assert factors.of("home", stricter).value == 0.9
    seen: dict[str, float] = {}
    factors.report(seen.__setitem__)
    assert seen == {"home": 0.9, "cart": 1.0}


def test_a_scene_without_the_rule_keeps_its_width() -> None:
    factors, scene = QualityFactors(lambda: 0.0), SceneSettings(quality=None)
    for _ in range(100):
        factors.of("home", scene).observe(100_000.0)
    assert factors.of("home", scene).value == 1.0
    factors.of("home", SceneSettings()).observe(100_000.0)
    assert factors.of("home", scene).value == 1.0
