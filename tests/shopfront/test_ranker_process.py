"""The last layer fitted beside training is the same, and its process never outlives the build."""

import filecmp
import os
import shutil
import threading
import time
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from ingest.ingest_folder import ingest_folder
from recall.part_build import PartBuildError
from shopfront import ranker
from shopfront.model_steps import ModelSteps
from shopfront.progress import Progress
from shopfront.ranker_process import RankerProcess
from shopfront.settings import Settings, load_settings
from shopfront.workspace import DEFAULT_FILE, Workspace
from testing.synthetic_shop import write_synthetic_shop

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]

SETTINGS = """
models:
  bst: {training: {max_steps: 2, evaluate_every: 2, validation_points: 20}}
  mind: {training: {max_steps: 2, evaluate_every: 2, validation_points: 20}}
router: {tables: {logistic_ranker: {max_shoppers: 30}}}
"""


def prepared(root: Path) -> tuple[Workspace, Settings, str, dict[str, str]]:
    """A small shop's workspace, settings, data set and checkpoints."""
    (root / "config").mkdir()
    shutil.copy(DEFAULT_FILE.parent / "scenes.yaml", root / "config")
    (root / "config" / "shopfront.yaml").write_text(SETTINGS)
    write_synthetic_shop(root / "data", users=80, items=200, events=4000, seed=3)
    workspace = Workspace(root / "workspace")
    settings = load_settings(root / "config" / "shopfront.yaml", workspace)
    dataset = ingest_folder(root / "data", workspace.root, settings.ingest, settings.seed).manifest.id
    steps = ModelSteps(workspace, settings, Progress(Console(quiet=True)), dataset)
    return workspace, settings, dataset, {model: steps.train(model, {}) for model in ("mind", "bst")}


def children() -> list[psutil.Process]:
    return psutil.Process().children()


def test_weights_are_those_of_a_fit_in_this_process_and_a_lost_one_is_named(tmp_path: Path) -> None:
    workspace, settings, dataset, checkpoints = prepared(tmp_path)
    before, free = children(), threading.Event()
    stages = []

    def others() -> dict[str, str]:
        free.wait()
        return {"mind": checkpoints["mind"]}

    process = RankerProcess(workspace, settings, dataset, "bst", others)
    assert children() == before, "no core is free"
    free.set()
    process.trained("mind", "of no interest")
    process.trained("bst", checkpoints["bst"])
    beside = process.take(lambda what, share: stages.append(what))
    process.stop()
    assert children() == before
    assert stages[-1] == "prices"
    folders = {model: workspace.checkpoints / model / name for model, name in checkpoints.items()}
    here = ranker.fit(workspace, settings, dataset, folders, lambda what, share: None)
    files = sorted(os.listdir(workspace.rankers / here))
    assert filecmp.cmpfiles(workspace.rankers / here, workspace.rankers / beside, files, shallow=False) == (
        files,
        [],
        [],
    )

    lost = RankerProcess(workspace, settings, dataset, "bst", others)
    while not (new := [child for child in children() if child not in before]):
        time.sleep(0.01)
    new[0].kill()
    with pytest.raises(PartBuildError, match=r"ended with status -9.*parallel_training"):
        lost.take(lambda what, share: None)
    lost.stop()

    # One whose order no longer comes, since the checkpoint that it waits for failed, ends with the build.
    unneeded = RankerProcess(workspace, settings, dataset, "bst", others)
    while not [child for child in children() if child not in before]:
        time.sleep(0.01)
    unneeded.stop()
    assert children() == before
