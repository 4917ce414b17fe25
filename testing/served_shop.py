"""A synthetic shop ready to be served: snapshots with recall tables, scenes, and settings over them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from recall.build import RECALL_FOLDER, build_channels
from recall.channel import BuildSource
from recall.item_pictures import ItemPictures
from recall.outfit_sets import OutfitSets
from recall.settings import RecallSettings
from router.scenes.table_settings import TablesSettings
from router.tables.files import TABLES_FOLDER, build_tables
from router.tables.kind import TableKind
from server.settings import RouterSettings
from snapshot import Dataset
from snapshot.catalogue import CATALOGUE_FOLDER
from snapshot.catalogue_writer import add_column
from snapshot.manifest import Manifest
from snapshot.store import SnapshotStore
from snapshot.thumbnails import copy_thumbnails
from testing.synthetic_shop import DAYS, START, synthetic_dataset
from testing.triton_models import DIMENSION

ITEMS = 120
USERS = 60
NOW = int((START + timedelta(days=DAYS)).timestamp())

SCENES = """
defaults:
  filters:
    excluded: {}
    out_of_stock: {}
    adult: {}
    already_bought: {window_days: 1.0}
    not_interested: {}
    seen_too_often: {}
  backfill: {channel: hot, limit: 2000}
  ranking: {enabled: true, model: bst, timeout_ms: 2000.0}
  rerank:
    scatter:
      rules:
        - {by: category, window: 4, max: 2}
  deadline: {budget_ms: 4000.0}
  candidates: 100
scenes:
  home:
    channels:
      ranki2i: {share: 0.4, timeout_ms: 2000.0}
      mind: {share: 0.3, timeout_ms: 2000.0}
      hot: {share: 0.3, timeout_ms: 2000.0}
  cart:
    channels:
      ranki2i: {share: 0.5, timeout_ms: 2000.0}
      hot: {share: 0.5, timeout_ms: 2000.0}
    page: {default_size: 10}
  similar_items:
    channels:
      ranki2i: {share: 0.8, timeout_ms: 2000.0}
      hot: {share: 0.2, timeout_ms: 2000.0}
"""


@dataclass(frozen=True)
class ServedShop:
    """A workspace folder of one shop; `settings(...)` are those of a router that serves it."""

    folder: Path
    dataset: Dataset

    @property
    def snapshots(self) -> SnapshotStore:
        """The store of its snapshots."""
        return SnapshotStore(self.folder / "snapshots")

    @property
    def scenes(self) -> Path:
        """Its scene configuration."""
        return self.folder / "scenes.yaml"

    @property
    def models(self) -> dict[str, int]:
        """Model versions that belong to the published snapshot."""
        return dict(self.snapshots.open_current(verify=False).manifest.models)

    def publish(
        self,
        models: dict[str, int] | None = None,
        seed: int = 1,
        publish: bool = True,
        tables: Mapping[str, TableKind] | None = None,
        pictures: ItemPictures | None = None,
        thumbnails: Path | None = None,
        outfits: OutfitSets | None = None,
        recall: RecallSettings | None = None,
    ) -> str:
        """Builds a snapshot of the data set and publishes it.

        `models`: versions it belongs to; `tables`: learned tables it has, by name;
        `pictures`: of its items; `thumbnails`: folder of small ones; `outfits`: items that belong together;
        `recall`: settings of its channels, None = the built-in ones.
        """
        store = self.snapshots
        staged = store.stage()
        shutil.copytree(self.dataset.path / CATALOGUE_FOLDER, staged / CATALOGUE_FOLDER)
        catalogue = self.dataset.catalogue
        vectors = np.random.default_rng(seed).normal(size=(catalogue.size + 1, DIMENSION)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors[0] = 0
        source = BuildSource(
            events=self.dataset.events().collect(),
            users=self.dataset.users(),
            catalogue=catalogue,
            now=NOW,
            vectors={"mind": vectors},
            seed=seed,
            pictures=pictures,
            outfits=outfits,
        )
        if pictures is not None:
            codes = range(int(pictures.groups.max()))
            add_column(staged, "picture_group", pictures.groups, [str(code + 1) for code in codes])
        if thumbnails is not None:
            copy_thumbnails(thumbnails, staged)
        build_channels(source, staged / RECALL_FOLDER, recall or RecallSettings())
        build_tables(tables or {}, source, staged / TABLES_FOLDER, TablesSettings().sections())
        manifest = Manifest(
            kind="snapshot",
            source="synthetic shop",
            shop=self.dataset.manifest.shop,
            dataset=self.dataset.manifest.id,
            models=models if models is not None else {"bst": 1, "mind": 1},
        )
        id = store.seal(staged, manifest)
        if publish:
            store.publish(id)
        return id

    def point_current_at(self, id: str) -> None:
        """Publishes without verifying, as a broken publisher would."""
        link = self.snapshots.root / ".current-by-hand"
        link.symlink_to(id, target_is_directory=True)
        link.replace(self.snapshots.root / "current")

    def settings(self, triton: str, **sections: Any) -> RouterSettings:
        """Settings to serve this shop with the models at `triton` (host:port)."""
        plain: dict[str, Any] = {
            "scenes": str(self.scenes),
            "business_rules": str(self.folder / "business_rules.json"),
            "snapshots": {"folder": str(self.folder / "snapshots"), "poll_interval_s": 0.1},
            "state": {"url": f"lmdb://{self.folder / 'state'}"},
            "rollout": {
                "url": f"lmdb://{self.folder / 'rollouts'}",
                "repository": str(self.folder / "triton"),
            },
            # Long enough for a machine that is busy with other tests.
            "ranking": {"url": triton, "score_timeout_ms": 5_000.0, "interests_timeout_ms": 5_000.0},
            "inspection": {
                name: str(self.folder / name) for name in ("scene_history", "evaluation", "experiments")
            },
            "learning": {"folder": str(self.folder / "learning")},
            "feature_log": {"folder": str(self.folder / "features")},
            "request_log": {"folder": str(self.folder / "logs")},
            "metrics": {"enabled": False, "folder": str(self.folder / "metrics")},
        }
        for name, section in sections.items():
            plain[name] = plain.get(name, {}) | section
        return RouterSettings.model_validate(plain)


def make_shop(folder: Path) -> ServedShop:
    """A shop of 120 items and 60 users under `folder`, its first snapshot published."""
    dataset = synthetic_dataset(folder, users=USERS, items=ITEMS, events=6_000, seed=3)
    shop = ServedShop(folder, dataset)
    shop.scenes.write_text(SCENES)
    shop.publish()
    return shop
