"""A small workspace with two versions of an untrained ranking model, whose home page explores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
import torch
from rich.console import Console

from features.profile import PROFILE_FIELDS
from models.bst_network import Bst
from models.bst_settings import BstNetworkSettings
from models.checkpoint import TrainedOn, record_of, save_checkpoint
from models.item_features import ItemFeatures
from shopfront.build_record import BuildRecord
from shopfront.progress import Progress
from shopfront.sandbox import Sandbox
from shopfront.settings import Settings, configured_tables, load_settings
from shopfront.snapshot_build import build_snapshot
from shopfront.workspace import Workspace
from snapshot.store import SnapshotStore
from state.registry import open_state
from state.seed import seed_state
from state.store import StateStore
from testing.synthetic_shop import synthetic_dataset
from triton_repo.manifest import MANIFEST, ParityRecord, VersionManifest

SETTINGS = """
router:
  recall: {mind: {enabled: false}}
  recording: {salt: pepper}
evaluation: {sandbox: {effective_draws: 20, groups: 3}}
"""
SCENES = """
defaults:
  filters: {excluded: {}, out_of_stock: {}, already_bought: {window_days: 1.0}}
scenes:
  home:
    channels: {ranki2i: {share: 0.5}, again: {share: 0.2}, hot: {share: 0.3}}
    ranking: {model: bst}
    exploration: {share: 0.6, temperature: 0.08}
    candidates: 40
  cart:
    channels: {hot: {}}
    ranking: {enabled: false}
"""


@dataclass(frozen=True)
class Shop:
    """The workspace, its configuration file and its opened sandbox."""

    workspace: Workspace
    config: Path
    settings: Settings
    store: StateStore
    sandbox: Sandbox


@pytest.fixture(scope="package")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    root = tmp_path_factory.mktemp("sandbox")
    (root / "config").mkdir()
    config = root / "config" / "shopfront.yaml"
    config.write_text(SETTINGS)
    (root / "config" / "scenes.yaml").write_text(SCENES)
    workspace = Workspace(root / "workspace")
    settings = load_settings(config, workspace)
    dataset = synthetic_dataset(workspace.root, users=60, items=120, events=3000)
    counts = tuple(len(dataset.catalogue.profile_vocab.get(field, ())) for field in PROFILE_FIELDS)
    for version, name in ((1, "first"), (2, "second")):
        torch.manual_seed(version)
        network = Bst(
            BstNetworkSettings(dimension=16, hidden=(32,)),
            ItemFeatures.from_catalogue(dataset.catalogue),
            counts,
        )
        with torch.no_grad():
            for parameter in network.parameters():
                # Untrained, scores differ by little; the draws' temperature is theirs.
                parameter.mul_(1.5)
        record = record_of(
            "bst", network.settings, TrainedOn.of(dataset), seed=version, steps=0, metrics={}, training={}
        )
        save_checkpoint(network, record, workspace.checkpoints / "bst" / name)
        folder = workspace.triton / "models" / "bst" / str(version)
        folder.mkdir(parents=True)
        manifest = VersionManifest(
            model="bst",
            format="onnx",
            created_at="",
            checkpoint=name,
            checkpoint_sha256="",
            dataset=dataset.manifest.id,
            items=dataset.catalogue.size,
            parity=ParityRecord(0.0, 0.0, 1, 1.0),
        )
        (folder / MANIFEST).write_bytes(msgspec.json.encode(manifest))
    BuildRecord(workspace.build_record).keep("checkpoint bst", "", "second")
    SnapshotStore(workspace.snapshots).publish(
        build_snapshot(
            workspace,
            settings,
            dataset,
            {},
            {"bst": 1},
            configured_tables(settings),
            {},
            Progress(Console(quiet=True)),
        )
    )
    store = open_state(settings.router.state)
    seed_state(store, dataset, settings.router.state)
    yield Shop(workspace, config, settings, store, Sandbox.open(workspace, settings, store))
    store.close()
