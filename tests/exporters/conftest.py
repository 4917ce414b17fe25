"""A small data set, untrained but lively checkpoints of both models, and their exports, made once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from exporters.checkpoint_export import ExportedVersion, export
from exporters.input_cases import InputCase, Words
from exporters.onnx_export import OnnxFormat
from exporters.runner import Feeds, Runner, first_output
from exporters.settings import ExportSettings
from models.bst_network import Bst
from models.bst_settings import BstNetworkSettings
from models.checkpoint import TrainedOn, record_of, save_checkpoint
from models.contracts import contracts
from models.in_process import NetworkRunner
from models.item_features import ItemFeatures
from models.mind_network import Mind
from models.mind_settings import MindNetworkSettings
from models.prerank_settings import TwoTowerNetworkSettings
from models.registry import MODELS
from models.sequential_network import Sequential
from models.sequential_settings import SequentialNetworkSettings
from models.two_tower import TwoTower
from snapshot.dataset import Dataset
from testing.synthetic_shop import synthetic_dataset
from triton_repo.contract import Contract
from triton_repo.repository import ModelRepository

SETTINGS = ExportSettings(formats=("onnx",), sample_shoppers=20, speed_rounds=5, minimum_speed_ratio=0)
NOON = 1_717_243_200.0  # 2024-06-01T12:00:00Z


class CopyOf:
    """Writes an earlier export again, after a change to its graph: no torch, so it is quick."""

    tools: Sequence[str] = ("onnx",)

    def __init__(self, folder: Path, change=lambda graph: None) -> None:  # type: ignore[no-untyped-def]
        self.folder = folder
        self.change = change

    def write(
        self,
        module: nn.Module,
        contract: Contract,
        samples: Sequence[InputCase],
        folder: Path,
        words: Words | None = None,
    ) -> None:
        graph = onnx.load(self.folder / "model.onnx")
        self.change(graph)
        onnx.save(graph, folder / "model.onnx")

    def open(self, folder: Path, contract: Contract) -> Runner:
        return OnnxFormat().open(folder, contract)


def clock() -> float:
    """A clock that stands still."""
    return NOON


@dataclass(frozen=True)
class Shop:
    """A data set, and a checkpoint of each model for it."""

    dataset: Dataset
    checkpoints: dict[str, Path]


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    workspace = tmp_path_factory.mktemp("shop")
    dataset = synthetic_dataset(workspace, users=60, items=120, events=3000)
    features = ItemFeatures.from_catalogue(dataset.catalogue)
    profile_counts = tuple(len(dataset.catalogue.profile_vocab.get(field, ())) for field in _PROFILE)
    models: dict[str, Bst | Mind | Sequential | TwoTower] = {
        "bst": Bst(BstNetworkSettings(dimension=16, hidden=(32, 8)), features, profile_counts),
        "mind": Mind(MindNetworkSettings(dimension=16), features),
        "sequential": Sequential(SequentialNetworkSettings(dimension=16, feed_forward=256), features),
        "prerank": TwoTower(TwoTowerNetworkSettings(dimension=8, hidden=16), features, profile_counts),
    }
    checkpoints = {}
    for name, model in models.items():
        _enliven(model)
        record = record_of(
            name, model.settings, TrainedOn.of(dataset), seed=1, steps=0, metrics={}, training={}
        )
        checkpoints[name] = save_checkpoint(model, record, workspace / "checkpoints" / name / "first")
    return Shop(dataset, checkpoints)


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> ModelRepository:
    return ModelRepository(tmp_path_factory.mktemp("exported") / "triton", contracts())


@pytest.fixture(scope="session", params=["bst", "mind", "sequential", "prerank"])
def exported(request: pytest.FixtureRequest, shop: Shop, repository: ModelRepository) -> ExportedVersion:
    """The first version of each model, really exported."""
    return export(shop.checkpoints[request.param], shop.dataset, repository, SETTINGS, seed=3, clock=clock)


_PROFILE = ("gender", "age_band", "city", "purchasing_power")


def torch_scores(module: nn.Module, model: str) -> Callable[[Feeds], np.ndarray]:
    """The first output of a network in this process."""
    run = NetworkRunner(module, MODELS[model].tensors, {})
    return lambda feeds: first_output(run(feeds))


def _enliven(model: nn.Module) -> None:
    """Gives every weight a size at which the model's answers differ from input to input."""
    generator = torch.Generator().manual_seed(11)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.3, generator=generator)
