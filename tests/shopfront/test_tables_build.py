"""Learned tables in a build: made where a scene or an arm names a component that reads them."""

import os
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from evaluation.sample_rules.registry import SAMPLE_RULES
from recall.build import RECALL_FOLDER
from recall.popularity import Prices
from router.ranking.logistic.weights import Weights
from router.tables.files import TABLES_FOLDER
from shopfront import model_steps
from shopfront.build_steps import Build, built
from shopfront.evaluation import ranker_of
from shopfront.progress import Progress
from shopfront.sample_rules_command import effects_table, measured
from shopfront.settings import load_settings
from shopfront.workspace import Workspace
from snapshot.store import Snapshot, SnapshotStore
from testing.synthetic_shop import write_synthetic_shop
from tests.router.tables.shop_parts import registered

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SETTINGS = """
models:
  bst: {training: {max_steps: 20, evaluate_every: 10, validation_points: 100}}
export: {formats: [onnx]}
router: {tables: {rare_items: {least: LEAST}}, recall: {mind: {enabled: false}}}
"""
PLAIN = "scenes: {home: {}}"
WITH_FILTER = "scenes: {home: {filters: {rare: {}}}}"
ARM = """
layers:
  first:
    experiments:
      common_only:
        arms:
          as_is: {share_bp: 5000, patch: {}}
          filtered: {share_bp: 5000, patch: {filters: {rare: {}}}}
"""


@pytest.fixture(autouse=True)
def parts() -> Iterator[None]:
    with registered():
        yield


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tables")
    (root / "config").mkdir()
    write_synthetic_shop(root / "data", users=120, items=300, events=6000, seed=3)
    return root


def build(root: Path, scenes: str, experiments: str = "", least: int = 20) -> tuple[Snapshot, str]:
    """The published snapshot under these files, and what the build printed."""
    config = root / "config"
    (config / "shopfront.yaml").write_text(SETTINGS.replace("LEAST", str(least)))
    (config / "scenes.yaml").write_text(scenes)
    (config / "experiments.yaml").write_text(experiments)
    workspace = Workspace(root / "workspace")
    settings = load_settings(config / "shopfront.yaml", workspace)
    printed = StringIO()
    Build(workspace, settings, root / "data", Progress(Console(file=printed))).run()
    return SnapshotStore(workspace.snapshots).open_current(), printed.getvalue()


def recall_files(snapshot: Snapshot) -> dict[str, object]:
    """Size and checksum of every file of a channel."""
    return {
        name: record
        for name, record in snapshot.manifest.files.items()
        if name.startswith(f"{RECALL_FOLDER}/")
    }


def test_a_table_is_built_where_a_scene_or_an_arm_needs_it(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With two cores, while the model is trained: channels in a process of their own.
    monkeypatch.setattr(model_steps, "WORTH_STEPS", 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    plain, _ = build(shop, PLAIN)
    assert not (plain.path / TABLES_FOLDER).exists()
    assert not any(name.startswith("tables/") for name in plain.manifest.rows)

    filtered, printed = build(shop, WITH_FILTER)
    assert "learned tables" in printed
    assert "train" not in printed
    rare = np.load(filtered.path / TABLES_FOLDER / "rare_items" / "rare.npy")
    assert filtered.manifest.rows["tables/rare_items.rare"] == rare[1:].sum()
    assert {name: n for name, n in filtered.manifest.rows.items() if not name.startswith("tables/")} == (
        plain.manifest.rows
    )
    # Wherever they are built, channels are the same.
    assert recall_files(filtered) == recall_files(plain)
    assert not list(SnapshotStore(shop / "workspace" / "snapshots").root.glob(".staged*"))

    again, printed = build(shop, WITH_FILTER)
    assert again.manifest.id == filtered.manifest.id
    assert "learned tables" not in printed

    stricter, _ = build(shop, WITH_FILTER, least=60)
    assert stricter.manifest.id != filtered.manifest.id
    assert stricter.manifest.rows["tables/rare_items.rare"] > filtered.manifest.rows["tables/rare_items.rare"]

    without, _ = build(shop, PLAIN)
    assert not (without.path / TABLES_FOLDER).exists()
    by_arm, _ = build(shop, PLAIN, ARM)
    assert (by_arm.path / TABLES_FOLDER / "rare_items").is_dir()


RANKED = """
scenes:
  home:
    channels: {ranki2i: {}, again: {}, hot: {share: HOT}}
    ranking: {scorers: {triton: {}, logistic: {}}, merge: {log_odds: {}}}
    rerank: RERANK
  cart:
    channels: {hot: {k: CART}}
"""


def ranked(hot: float = 0.1, cart: int = 50, rerank: str = "{}") -> str:
    return RANKED.replace("HOT", str(hot)).replace("CART", str(cart)).replace("RERANK", rerank)


def test_the_last_layer_is_fitted_for_the_scene_that_uses_it(shop: Path) -> None:
    workspace = Workspace(shop / "workspace")
    _, printed = build(shop, PLAIN)
    assert "fit ranker" not in printed

    served, printed = build(shop, ranked())
    assert "fit ranker" in printed
    weights = Weights.read(served.path / TABLES_FOLDER / "logistic_ranker")
    assert weights.channels == ("ranki2i", "again", "hot")
    assert 0 < weights.shoppers < weights.candidates
    assert weights.model == "bst"
    (fitted,) = workspace.rankers.iterdir()
    assert Weights.read(fitted) == weights

    # Another scene changed: neither the weights nor the snapshot are made again.
    again, printed = build(shop, ranked(cart=60))
    assert again.manifest.id == served.manifest.id
    assert "fit ranker" not in printed

    other, printed = build(shop, ranked(hot=0.5))
    assert "fit ranker" in printed
    assert other.manifest.id != served.manifest.id

    # A cap on heads: prices are fitted with the weights, and travel in the snapshot.
    capped, printed = build(shop, ranked(hot=0.5, rerank="{head_cap: {most: 0.05}}"))
    assert "fit ranker" in printed
    newest = max(workspace.rankers.iterdir())
    fitted_prices, served_prices = (
        Prices.read(folder) for folder in (newest, capped.path / TABLES_FOLDER / "popularity")
    )
    assert fitted_prices.items.size > 0
    assert (served_prices.items == fitted_prices.items).all()
    assert (served_prices.values == fitted_prices.values).all()

    build(shop, ranked(hot=0.5))
    newest = max(workspace.rankers.iterdir())
    (newest / "weights.json").unlink()
    _, printed = build(shop, ranked(hot=0.5))
    assert "fit ranker" in printed
    assert "weights.json" in printed


def test_evaluation_uses_the_weights_of_the_build(shop: Path) -> None:
    build(shop, ranked())
    settings = load_settings(shop / "config" / "shopfront.yaml", Workspace(shop / "workspace"))
    made = ranker_of(Workspace(shop / "workspace"), settings)
    assert made is not None
    assert (Workspace(shop / "workspace").rankers / made / "weights.json").is_file()


def test_sample_rules_are_measured_on_the_candidates_of_the_last_layer(shop: Path) -> None:
    build(shop, ranked())
    workspace = Workspace(shop / "workspace")
    settings = load_settings(shop / "config" / "shopfront.yaml", workspace)
    rankers = sorted(workspace.rankers.iterdir())
    rows, _ = measured(workspace, built(workspace), settings, lambda what, share: None)
    assert list(rows) == ["no rule", *SAMPLE_RULES]
    graded = rows["graded_labels"]
    assert 0 < graded["weighed"] <= graded["takes"]
    assert graded["low"] <= graded["gain"] <= graded["high"]
    assert sorted(workspace.rankers.iterdir()) == rankers, "nothing is kept of what was fitted to measure"
    assert effects_table(rows, ("graded_labels",)).row_count == len(rows)
