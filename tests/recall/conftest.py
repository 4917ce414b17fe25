"""A made-up shop with every channel's tables, shared by the tests of the whole room."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from recall.build import build_channels
from recall.channel import BuildSource
from recall.item_pictures import ItemPictures
from recall.outfit_sets import OutfitSets
from recall.picture_space import PictureSpace
from recall.registry import CHANNELS
from recall.settings import RecallSettings
from snapshot import Dataset
from testing.synthetic_shop import synthetic_dataset

DIMENSIONS = 8


@dataclass(frozen=True)
class BuiltShop:
    """A data set, what the channels were built from, the folder they were built into, and what was told."""

    dataset: Dataset
    source: BuildSource
    folder: Path
    rows: dict[str, dict[str, int]]
    progress: list[tuple[str, float]]


def source_of(dataset: Dataset, now: int) -> BuildSource:
    """A build source at `now` with random item vectors of every model that a channel needs."""
    models = {model for kind in CHANNELS.values() for model in kind.models}
    vectors = (
        np.random.default_rng(0).normal(size=(dataset.catalogue.size + 1, DIMENSIONS)).astype(np.float32)
    )
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[0] = 0
    return BuildSource(
        dataset.events().collect(),
        dataset.users(),
        dataset.catalogue,
        now,
        dict.fromkeys(models, vectors),
        seed=0,
        pictures=pictures_of(dataset.catalogue.size),
        outfits=outfits_of(dataset.catalogue.size),
    )


def outfits_of(size: int) -> OutfitSets:
    """Random sets of four items."""
    items = np.random.default_rng(4).permutation(np.arange(1, size + 1, dtype=np.int32))
    items = items[: size // 4 * 4].reshape(-1, 4)
    return OutfitSets(np.repeat(np.arange(len(items), dtype=np.int32), 4), np.sort(items).reshape(-1))


def pictures_of(size: int) -> ItemPictures:
    """Random vectors of one to three pictures of every second item."""
    random = np.random.default_rng(3)
    items = np.repeat(np.arange(1, size + 1, 2), random.integers(1, 4, (size + 1) // 2)).astype(np.int32)
    space = PictureSpace(np.zeros(12, np.float32), np.eye(12, DIMENSIONS, dtype=np.float32))
    vectors = space.project(random.standard_normal((len(items), 12)).astype(np.float32))
    contents = np.arange(2 * len(items), dtype=np.uint64).reshape(-1, 2)
    return ItemPictures(items, vectors, space, np.zeros(size + 1, np.int32), contents)


_FEW_PAIRS: dict[str, object] = {"dimensions": 8, "max_pairs": 20_000, "walks_per_item": 2}
QUICK: dict[str, dict[str, object]] = {
    "graph_embedding": _FEW_PAIRS,
    "query_intent": _FEW_PAIRS,
    "item_units": {"dimensions": 8, "max_pairs": 20_000},
    "fresh": {"window_days": 300.0},
    "svd": {"factors": 4, "epochs": 1},
    "rbm": {"hidden": 4, "epochs": 1},
    "alert_picks": {"categories": {"haze": ["Plants", "Lamps"], "heat": ["Tea"]}},
}
"""Settings of channels that are trained, or that recall nothing here by default."""


def every_channel() -> RecallSettings:
    """The default settings with every registered channel enabled."""
    return RecallSettings.model_validate(
        {name: {"enabled": True, **QUICK.get(name, {})} for name in CHANNELS}
    )


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> BuiltShop:
    dataset = synthetic_dataset(tmp_path_factory.mktemp("workspace"))
    source = source_of(dataset, dataset.manifest.cuts.test_from)
    folder = tmp_path_factory.mktemp("snapshot") / "recall"
    progress: list[tuple[str, float]] = []
    rows = build_channels(
        source, folder, every_channel(), lambda stage, share: progress.append((stage, share))
    )
    return BuiltShop(dataset, source, folder, rows, progress)
