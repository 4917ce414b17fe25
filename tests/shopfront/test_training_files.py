"""What workers and the build tell each other, and what the build says of losses."""

from __future__ import annotations

import sys
import time
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from models.training_loop import TrainingError
from shopfront.cluster.errors import CannotTrainHere, NodesLost
from shopfront.cluster.ray_cluster import RayCluster
from shopfront.cluster.ray_train import SharedTraining, TrainingWatch
from shopfront.cluster.settings import JobSettings
from shopfront.cluster.training_files import Course, Ended, TrainingFiles
from shopfront.model_steps import ModelSteps
from shopfront.progress import Progress
from shopfront.settings import default_settings
from shopfront.workspace import Workspace

NODES = [
    {"NodeID": letter * 12, "NodeManagerAddress": f"10.0.0.{number}", "Alive": True, "Resources": {"CPU": 1}}
    for number, letter in enumerate("ab")
]


def test_how_an_attempt_ended_is_forgotten_and_how_far_it_was_is_kept(tmp_path: Path) -> None:
    files = TrainingFiles(tmp_path / "job")
    files.begin()
    assert files.told() is None
    assert files.ended() is None
    files.course.write_bytes(b"weights")
    files.fail("the loss of step 3 is nan")
    assert files.ended() == Ended(fault="the loss of step 3 is nan")
    files.begin()
    assert files.ended() is None
    assert files.course.read_bytes() == b"weights"
    files.done("20260101", {"gauc": 0.7})
    assert files.ended() == Ended("20260101", {"gauc": 0.7})


def test_a_build_lets_workers_train_and_passes_their_fault_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = [Ended("20260101", {"gauc": 0.7}), Ended(fault="worker 2 of 2 on node b: it cannot be read")]
    ran: list[str] = []

    def run(training: SharedTraining, *given: object) -> Ended:
        ran.append(training.model)
        return ends[len(ran) - 1]

    monkeypatch.setattr(SharedTraining, "run", run)
    cluster = RayCluster(JobSettings(training_workers=2))
    progress = Progress(Console(file=StringIO()))
    steps = ModelSteps(Workspace(tmp_path), default_settings(), progress, "data set", cluster)
    steps.begin(["bst", "mind"])
    assert steps.begun("bst") is None
    assert steps.train("bst", {}) == "20260101"
    with pytest.raises(TrainingError, match="worker 2 of 2 on node b"):
        steps.train("mind", {})
    assert ran == ["bst", "mind"]


def test_a_lost_node_is_named_and_the_end_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    nodes = list(NODES)
    monkeypatch.setattr("ray.nodes", lambda: nodes)
    files = TrainingFiles(tmp_path / "job")
    files.begin()
    steps: list[int] = []
    cluster = RayCluster(JobSettings(node_wait_s=0.01))
    watch = TrainingWatch("training of bst", files, cluster, lambda step, *_: steps.append(step))
    files.tell(Course(40, 100, 0.5, {"gauc": 0.6}, 2))
    watch.look()
    watch.look()
    assert steps == [40]
    assert watch.end_of(ValueError("a bug")).args == ("a bug",)
    nodes.pop()
    watch.look()
    assert "training of bst: node bbbbbbbb (10.0.0.1) was lost at step 40" in caplog.text
    ended = watch.end_of(ValueError("connection closed by peer"))
    assert isinstance(ended, NodesLost)
    assert "node bbbbbbbb (10.0.0.1) lost" in str(ended)
    assert "run the same command again to go on from there" in str(ended)
    nodes.clear()
    watch.look()
    time.sleep(2 * cluster.settings.node_wait_s)
    with pytest.raises(NodesLost, match=r"left that could train \(node b.*, node a.* lost\)"):
        watch.look()


def test_without_ray_train_the_missing_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray.train", None)
    training = SharedTraining("bst", tmp_path, {}, tmp_path / "models")
    with pytest.raises(CannotTrainHere, match=r"pip install 'shopfront\[training\]'"):
        training.run(RayCluster(JobSettings(training_workers=2)), tmp_path / "jobs", lambda *_: None)


def test_a_training_of_other_settings_does_not_go_on_from_this_one(tmp_path: Path) -> None:
    first, second = (SharedTraining("bst", tmp_path, {"seed": seed}, tmp_path / "models") for seed in (1, 2))
    cluster = RayCluster(JobSettings())
    folders = {training.files(cluster, tmp_path).folder for training in (first, second, first)}
    assert len(folders) == 2
