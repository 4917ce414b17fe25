"""Before an engine takes over, every stage of every scene has answered once, the optional ones too."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.metrics import NoMetrics
from pipeline.scoring import Split
from pipeline.stages import StageBug
from recall.channel import Services
from recall.registry import CHANNELS
from recall.settings import RecallSettings
from router.engine.engine import Engine, EngineBuilder
from router.engine.warm_up import warm_up
from router.scenes.load import KnownNames, load_scenes
from testing.served_shop import SCENES, make_shop
from tests.pipeline.stand_ins import RuleModel
from tests.router.engine.conftest import embed


def engine(folder: Path, bst: RuleModel, light: RuleModel) -> Engine:
    shop = make_shop(folder)
    shop.scenes.write_text(
        SCENES.replace("candidates: 100", "candidates: 10\n  prerank: {candidates: 40, timeout_ms: 2000.0}")
    )
    scorers = {"bst": bst, "prerank": light}
    scenes = load_scenes(shop.scenes, KnownNames(CHANNELS, list(scorers)))
    builder = EngineBuilder(
        RecallSettings(), Services(lambda model: embed), scorers, NoMetrics(), Split(5, 4)
    )
    return builder.build(shop.snapshots.open_current(), scenes)


async def test_prerank_is_warmed_up_and_ranking_by_parts(tmp_path: Path) -> None:
    bst, light = RuleModel(float), RuleModel(float)
    await warm_up(engine(tmp_path, bst, light))
    # Three scenes; a page of 20 is wider than the ten candidates.
    assert light.scored == [40, 40, 40]
    assert bst.scored == [5] * 12


async def test_a_prerank_with_a_bug_is_refused(tmp_path: Path) -> None:
    broken = engine(tmp_path, RuleModel(float), RuleModel(float, error=KeyError("no such input")))
    with pytest.raises(StageBug, match="prerank failed: KeyError"):
        await warm_up(broken)
