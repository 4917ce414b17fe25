"""Prerank in a build: trained, exported and measured where a scene asks for it, and nowhere else."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from models.build_order import build_order
from models.registry import MODELS
from shopfront.build_steps import Build, Built
from shopfront.evaluation import evaluate_workspace
from shopfront.needed_models import models_needed
from shopfront.progress import Progress
from shopfront.serve import _models
from shopfront.settings import Settings, load_settings
from shopfront.workspace import PROJECT, Workspace
from snapshot.store import SnapshotStore
from testing.synthetic_shop import write_synthetic_shop
from triton_repo.repository import ModelRepository
from triton_repo.settings import ModelSettings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SETTINGS = """
models:
  bst: {training: {max_steps: 20, evaluate_every: 10, validation_points: 100}}
  mind: {training: {max_steps: 20, evaluate_every: 10, validation_points: 100}}
  prerank: {training: {max_steps: 20, evaluate_every: 10, validation_points: 20}}
export: {formats: [onnx]}
evaluation: {prerank_shoppers: 20, prerank_candidates: [150], prerank_kept: [60, 100], max_users: 40,
             ranking_points: 100, ranking_negatives: 20, fused_total: 50, rank_candidates: 60, ks: [10],
             page_shoppers: 20, carts: 20, searches: 20, newcomer_shoppers: 10, visit_shoppers: 5, visits: 2,
             anchor_pairs: 100}
"""
NO_PRERANK = "prerank: null"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("prerank")
    (root / "config").mkdir()
    (root / "config" / "shopfront.yaml").write_text(SETTINGS)
    write_synthetic_shop(root / "data", users=120, items=300, events=6000, seed=3)
    return root


def build(root: Path, prerank: str) -> tuple[Built, Settings, Workspace, str]:
    """Builds the shop under a scene file whose prerank section is `prerank`; the last is what was printed."""
    text = (PROJECT / "config" / "scenes.yaml").read_text()
    assert text.count(f"  {NO_PRERANK}\n") == 1
    (root / "config" / "scenes.yaml").write_text(text.replace(f"  {NO_PRERANK}\n", f"  {prerank}\n"))
    workspace = Workspace(root / "workspace")
    settings = load_settings(root / "config" / "shopfront.yaml", workspace)
    printed = StringIO()
    made = Build(workspace, settings, root / "data", Progress(Console(file=printed))).run()
    return made, settings, workspace, printed.getvalue()


def test_prerank_is_built_and_measured_only_where_a_scene_asks_for_it(shop: Path) -> None:
    made, settings, workspace, _ = build(shop, NO_PRERANK)
    assert build_order(models_needed(settings), MODELS) == ["bst", "mind"]
    assert set(made.versions) == {"bst", "mind"}
    assert not (workspace.checkpoints / "prerank").exists()
    in_replica = settings.router.ranking.in_replica
    assert set(_models(workspace, settings.triton.embedded.models, in_replica)) == {"bst", "mind"}

    made, settings, workspace, printed = build(shop, "prerank: {candidates: 2000}")
    assert build_order(models_needed(settings), MODELS) == ["bst", "mind", "prerank"]
    assert "train prerank" in printed
    assert "train bst" not in printed
    assert made.versions["prerank"] == 1
    assert SnapshotStore(workspace.snapshots).open_current().manifest.models == made.versions
    assert ModelRepository(workspace.triton).verify("prerank", 1).model == "prerank"
    assert ModelRepository(workspace.triton).served() == made.versions
    served = _models(workspace, {"bst": ModelSettings(instances=2)}, in_replica)
    assert served == {
        "bst": ModelSettings(instances=2),
        "mind": ModelSettings(opened="when_called"),
        "prerank": ModelSettings(),
    }

    report = evaluate_workspace(workspace, made, settings, lambda step, done, of: None)
    assert set(report.prerank) == {"recall order of 150", "prerank of 150"}
    for row in report.prerank.values():
        assert 0 < row["top50_in_60"] <= row["top50_in_100"] <= 1
        assert 100 < row["candidates"] <= 150
    assert report.as_json()["models"]["prerank"]["steps"] in (10, 20)

    again, _, _, printed = build(shop, "prerank: {candidates: 2000}")
    assert again == made
    assert "train" not in printed
