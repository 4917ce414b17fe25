"""A model trained in a process of its own is the same, and its process never outlives the build."""

import os
import signal
from io import StringIO
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from ingest.ingest_folder import ingest_folder
from models.checkpoint_files import WEIGHTS_NAME
from models.training_loop import TrainingError
from shopfront import model_steps
from shopfront.model_steps import ModelSteps
from shopfront.progress import Progress
from shopfront.settings import Settings, load_settings
from shopfront.workspace import Workspace
from testing.synthetic_shop import write_synthetic_shop

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]

SETTINGS = """
models:
  bst: {training: {max_steps: 20, evaluate_every: 10, validation_points: 100}}
  mind: {training: {max_steps: STEPS, evaluate_every: 10, validation_points: 100}}
export: {formats: [onnx]}
samples: {truncated_counts: {models: true, quantile: 0.5}}
"""


@pytest.fixture(autouse=True)
def every_training_is_worth_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_steps, "WORTH_STEPS", 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})


def steps_of(root: Path, mind_steps: int) -> tuple[ModelSteps, StringIO]:
    """The steps of a small shop, and what they print."""
    (root / "config").mkdir()
    (root / "config" / "shopfront.yaml").write_text(SETTINGS.replace("STEPS", str(mind_steps)))
    write_synthetic_shop(root / "data", users=120, items=300, events=6000, seed=3)
    workspace = Workspace(root / "workspace")
    settings: Settings = load_settings(root / "config" / "shopfront.yaml", workspace)
    dataset = ingest_folder(root / "data", workspace.root, settings.ingest, settings.seed)
    printed = StringIO()
    return ModelSteps(workspace, settings, Progress(Console(file=printed)), dataset.manifest.id), printed


def begin(steps: ModelSteps, models: list[str]) -> list[psutil.Process]:
    """Begins to train models; returns the processes that do."""
    before = psutil.Process().children()
    steps.begin(models)
    return [process for process in psutil.Process().children() if process not in before]


def test_weights_are_those_of_training_in_this_process(tmp_path: Path) -> None:
    steps, printed = steps_of(tmp_path, 20)
    begun = begin(steps, ["mind", "bst"])
    assert len(begun) == 1, "two cores: one for this process, one beside it"
    beside = steps.train("mind", {})
    alone = ModelSteps(steps.workspace, steps.settings, steps.progress, steps.dataset).train("mind", {})
    first, second = ((steps.checkpoint("mind", name) / WEIGHTS_NAME).read_bytes() for name in (beside, alone))
    assert first == second
    assert printed.getvalue().count("train mind") == 2
    assert printed.getvalue().count("mind on the validation range") == 2


def test_what_is_not_done_ends_with_the_build_and_a_lost_one_is_named(tmp_path: Path) -> None:
    steps, _ = steps_of(tmp_path, 100_000)
    (process,) = begin(steps, ["mind"])
    steps.stop()
    assert not process.is_running()

    (process,) = begin(steps, ["mind"])
    process.send_signal(signal.SIGKILL)
    with pytest.raises(TrainingError, match=r"trained mind ended with status -9.*parallel_training"):
        steps.train("mind", {})
    assert list(steps.workspace.checkpoints.glob("mind/*")) == []
