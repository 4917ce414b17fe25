"""A live engine over a synthetic shop, with models that are what the test says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from pipeline.candidates import Candidates
from pipeline.metrics import NoMetrics
from pipeline.stages import Model
from recall.channel import Services
from recall.query import Query
from recall.registry import CHANNELS
from recall.settings import RecallSettings
from router.engine.engine import Engine, EngineBuilder
from router.engine.live import LiveEngine
from router.engine.settings import SnapshotWatchSettings
from router.engine.snapshot_watch import SnapshotWatch
from router.engine.warm_up import warm_up
from router.scenes.load import KnownNames, Scenes, load_scenes
from testing.served_shop import ServedShop, make_shop
from testing.triton_models import DIMENSION


class PopularityScorer:
    """Scores by item index; fails where told to."""

    bug: Exception | None = None

    def model(self, query: Query) -> Model:
        return Model("bst", query.model_versions.get("bst", ""))

    async def score(self, query: Query, candidates: Candidates) -> np.ndarray:
        if self.bug is not None:
            raise self.bug
        return (1 / (1 + candidates.items)).astype(np.float32)


@dataclass
class Triton:
    """Which model versions are ready."""

    absent: set[str] = field(default_factory=set)

    async def missing(self, versions: Mapping[str, str]) -> list[str]:
        return [f"{n} {v}" for n, v in versions.items() if f"{n} {v}" in self.absent]


@dataclass
class Watched:
    """A live engine, its watch, and what both stand on."""

    shop: ServedShop
    live: LiveEngine
    watch: SnapshotWatch
    scorer: PopularityScorer
    triton: Triton
    reported: list[tuple[str, str]]
    now: list[float]


def read(shop: ServedShop) -> Scenes:
    """The shop's scenes."""
    return load_scenes(shop.scenes, KnownNames(CHANNELS, ["bst"]))


async def embed(query: Query, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """One interest, the same for everybody."""
    return {"interests": np.full((1, 1, DIMENSION), DIMENSION**-0.5, np.float32)}


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    """A watch over a fresh shop's published snapshot."""
    shop = make_shop(tmp_path)
    scorer, triton = PopularityScorer(), Triton()
    builder = EngineBuilder(RecallSettings(), Services(lambda model: embed), {"bst": scorer}, NoMetrics())
    live = LiveEngine(builder, shop.snapshots.open_current(), read(shop))
    reported: list[tuple[str, str]] = []
    now = [0.0]

    def report(outcome: str, engine: Engine) -> None:
        reported.append((outcome, engine.snapshot_id))

    watch = SnapshotWatch(
        shop.snapshots,
        live,
        warm_up,
        triton,
        SnapshotWatchSettings(models_warn_after_s=30.0),
        report,
        lambda: now[0],
    )
    return Watched(shop, live, watch, scorer, triton, reported, now)
