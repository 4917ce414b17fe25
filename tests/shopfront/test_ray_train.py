"""A model trained by workers on three Ray nodes, of which one is killed, is that of one machine."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from models.checkpoint_files import WEIGHTS_NAME
from models.registry import MODELS
from models.settings import ModelKindSettings
from models.training_loop import silent
from shopfront.cluster.ray_cluster import RayCluster, connected
from shopfront.cluster.ray_train import SharedTraining
from shopfront.cluster.settings import JobSettings
from shopfront.training import train_model
from snapshot.dataset import EVENTS_NAME, Dataset
from testing.ray_nodes import RayNodes, three_nodes
from testing.synthetic_shop import synthetic_dataset

pytestmark = [
    pytest.mark.timeout(900),
    # Of Ray, about its own settings, where Ray Train makes those of Ray Data.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
TRAINING = {"batch_size": 64, "max_steps": 60, "evaluate_every": 20, "validation_points": 50, "patience": 9}


@pytest.fixture(scope="module")
def nodes() -> Iterator[RayNodes]:
    with three_nodes(runtime_environments=True) as started:
        yield started


@pytest.fixture(scope="module")
def cluster(nodes: RayNodes) -> Iterator[RayCluster]:
    with connected(JobSettings(address=nodes.address, attempts=4, training_workers=3)) as reached:
        assert reached is not None
        yield reached


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return synthetic_dataset(tmp_path_factory.mktemp("shop"), users=60, items=100, events=4_000)


def settings(max_steps: int = 60) -> ModelKindSettings:
    network = {"dimension": 16, "heads": 2, "hidden": [32, 16], "dropout": 0, "id_dropout": 0}
    training = {**TRAINING, "max_steps": max_steps}
    return MODELS["bst"].settings.model_validate({"network": network, "training": training})


def shared(dataset: Dataset, checkpoints: Path, max_steps: int = 60) -> SharedTraining:
    return SharedTraining("bst", dataset.path, settings(max_steps).model_dump(mode="json"), checkpoints)


@pytest.mark.faults
def test_a_node_killed_while_it_trains_changes_nothing_and_is_named(
    dataset: Dataset,
    nodes: RayNodes,
    cluster: RayCluster,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    alone = train_model("bst", dataset, settings(), tmp_path / "alone", silent, {})
    killed: list[int] = []

    def kill(step: int, steps: int, loss: float, metrics: dict[str, float]) -> None:
        if metrics and not killed:
            killed.append(step)
            nodes.kill()

    with caplog.at_level(logging.WARNING):
        ended = shared(dataset, tmp_path / "shared").run(cluster, tmp_path / "jobs", kill)
    assert ended.fault == ""
    assert killed
    assert f"was lost at step {killed[0]}; it goes on from the last validation" in caplog.text
    one, many = (
        load_file(tmp_path / kind / "bst" / name / WEIGHTS_NAME)
        for kind, name in (("alone", alone.checkpoint), ("shared", ended.checkpoint))
    )
    assert one.keys() == many.keys()
    for name, expected in one.items():
        assert many[name] == pytest.approx(expected, abs=2e-3), name
    assert ended.metrics == pytest.approx(alone.metrics, abs=0.02)
    nodes.replace()


@pytest.mark.faults
def test_events_that_cannot_be_read_are_named_and_no_checkpoint_is_written(
    dataset: Dataset, cluster: RayCluster, tmp_path: Path
) -> None:
    torn = tmp_path / dataset.path.name
    shutil.copytree(dataset.path, torn)
    events = torn / EVENTS_NAME
    content = bytearray(events.read_bytes())
    content[200:400] = bytes(200)
    events.chmod(0o600)
    events.write_bytes(content)
    training = SharedTraining("bst", torn, settings().model_dump(mode="json"), tmp_path / "models")
    fault = training.run(cluster, tmp_path / "jobs", silent).fault
    assert "worker 1 of" in fault
    assert "events.parquet" in fault
    assert "cannot be read" in fault
    assert not (tmp_path / "models").exists()
