"""Channels are built beside training once a core is free, and nothing of it outlives the build."""

import os
import signal
import threading
import time
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from ingest.ingest_folder import ingest_folder
from recall.part_build import PartBuildError
from recall.registry import CHANNELS
from shopfront import model_steps
from shopfront.channels_process import ChannelsProcess, without_models
from shopfront.model_steps import ModelSteps
from shopfront.progress import Progress
from shopfront.settings import default_settings
from shopfront.workspace import Workspace
from testing.synthetic_shop import write_synthetic_shop


def begun(workspace: Path, dataset: str, wait: threading.Event) -> ChannelsProcess:
    recall, snapshots = default_settings().router.recall, workspace / "snapshots"
    return ChannelsProcess(
        (), workspace / "datasets" / dataset, None, recall, "none", 1, snapshots, wait.wait
    )


def children() -> list[psutil.Process]:
    return psutil.Process().children()


def test_what_needs_a_model_is_left_to_the_build() -> None:
    settings = without_models(default_settings().router.recall)
    enabled = {name for name in CHANNELS if getattr(settings, name).enabled}
    assert "mind" not in enabled
    assert {"ranki2i", "again", "hot", "category_hot"} <= enabled


def test_a_core_is_waited_for_where_all_train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = default_settings()
    steps = ModelSteps(Workspace(tmp_path), settings, Progress(Console(quiet=True)), "none")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert steps.core_beside("bst") is None
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    wait = steps.core_beside("bst")
    assert wait is not None
    wait()
    monkeypatch.setattr(model_steps, "WORTH_STEPS", settings.models.bst.training.max_steps + 1)
    assert steps.core_beside("bst") is None


@pytest.mark.slow
@pytest.mark.timeout(100)
def test_a_process_that_is_lost_is_named_and_one_that_is_not_needed_ends(tmp_path: Path) -> None:
    write_synthetic_shop(tmp_path / "data", users=120, items=300, events=6000, seed=3)
    dataset = ingest_folder(tmp_path / "data", tmp_path, default_settings().ingest, 1).manifest.id
    before, free = children(), threading.Event()
    channels = begun(tmp_path, dataset, free)
    assert children() == before, "no core is free"
    channels.stop()
    free.set()
    assert children() == before

    channels = begun(tmp_path, dataset, free)
    while not (new := [process for process in children() if process not in before]):
        time.sleep(0.01)
    new[0].send_signal(signal.SIGKILL)
    with pytest.raises(PartBuildError, match=r"ended with status -9.*parallel_training"):
        channels.take(tmp_path / "recall")
    channels.stop()
    assert not list((tmp_path / "snapshots").iterdir())
