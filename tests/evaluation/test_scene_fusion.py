"""A scene's fusion, made outside of its pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from evaluation.scene_fusion import SceneFusion
from pipeline.candidates import Candidates
from pipeline.stages import Recalled, RecalledColumns
from recall.registry import CHANNELS
from router.fusion.kind import FusionKind, FusionParts
from router.fusion.quota import fuse
from router.fusion.registry import FUSIONS
from router.scenes.load import KnownNames, read_scenes
from tests.recall.small_shop import NOW, make_catalogue, make_source
from tests.router.tables.shop_parts import RARE, NoSettings, RareSettings

PLUGIN = "tests.fusions"
LOG = [(user, item, 2, NOW) for user, item in ((1, 1), (2, 1), (1, 2))]


@dataclass(frozen=True)
class CommonOnly:
    """Drops items that few shoppers took."""

    rare: np.ndarray
    shares: np.ndarray

    def fuse(self, recalled: Sequence[RecalledColumns], total: int) -> Candidates:
        fused = fuse(recalled, self.shares, total)
        return fused.take(~self.rare[fused.items])


def create_common_only(parts: FusionParts, settings: NoSettings) -> CommonOnly:
    return CommonOnly(parts.tables["rare_items"], parts.shares)


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    FUSIONS.add("common_only", FusionKind(NoSettings, create_common_only, tables=(RARE,)), PLUGIN)
    yield
    FUSIONS.remove(PLUGIN)


def fusion_of(text: str) -> SceneFusion:
    scenes = read_scenes(f"scenes: {{home: {text}}}".encode(), "scenes.yaml", KnownNames(CHANNELS))
    return SceneFusion.of(scenes["home"], {"rare_items": RareSettings(least=2)})


def recalled(*items: int) -> Recalled:
    return Recalled(
        np.array(items, np.int32), np.ones(len(items), np.float32), np.zeros(len(items), np.int32)
    )


def test_it_is_the_scenes_with_any_shares(tmp_path: Path) -> None:
    fusion = fusion_of(
        "{channels: {again: {}, hot: {}}, fusion: {reciprocal_rank: {offset: 0.0, floors: {hot: 0.5}}}}"
    )
    make = fusion.open(make_source(make_catalogue(tmp_path, [1, 1, 2, 2, 2]), LOG), tmp_path / "tables")
    answers = [recalled(1, 2, 3), recalled(4, 5)]
    assert make({"again": 1.0, "hot": 0.01}).fuse(answers, 4).items.tolist() == [1, 4, 2, 5]
    # The floor belongs to the channel, at whatever place it is.
    assert make({"hot": 0.01, "again": 1.0}).fuse(answers[::-1], 4).items.tolist() == [1, 4, 2, 5]
    assert make({"again": 0.01, "hot": 1.0}).fuse(answers, 3).items.tolist() == [4, 5, 1]
    assert not (tmp_path / "tables").exists()


def test_its_learned_tables_are_built(tmp_path: Path) -> None:
    source = make_source(make_catalogue(tmp_path, [1, 1, 2, 2, 2]), LOG)
    make = fusion_of("{channels: {hot: {}}, fusion: {common_only: {}}}").open(source, tmp_path / "tables")
    assert make({"hot": 1.0}).fuse([recalled(2, 1)], 2).items.tolist() == [1]
