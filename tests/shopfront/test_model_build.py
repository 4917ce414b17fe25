"""What is exported again when a data set replaces another."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from rich.console import Console

from models.checkpoint_files import RECORD_NAME
from shopfront.build_record import BuildRecord
from shopfront.model_build import ModelBuild
from shopfront.model_steps import ModelSteps
from shopfront.progress import Progress
from shopfront.settings import Settings, default_settings
from triton_repo.repository import ModelRepository

MODELS = ("bst", "picture_encoder")


@dataclass
class RecordedSteps:
    """In place of `ModelSteps`: a checkpoint is a record alone, a version is a number."""

    folder: Path
    dataset: str
    weights: dict[str, str]
    settings: Settings = field(default_factory=default_settings)
    exported: list[str] = field(default_factory=list)
    progress: Progress = field(default_factory=lambda: Progress(Console(file=io.StringIO())))

    def checkpoint(self, model: str, name: str) -> Path:
        return self.folder / model / name

    def sample_rules(self, model: str) -> dict[str, Any]:
        return {}

    def train(self, model: str, teachers: dict[str, str]) -> str:
        folder = self.checkpoint(model, f"of-{self.dataset}-{self.weights[model]}")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RECORD_NAME).write_bytes(msgspec.json.encode({"weights_sha256": self.weights[model]}))
        return folder.name

    def verify_checkpoint(self, model: str, name: str) -> None:
        assert self.checkpoint(model, name).exists()

    def export(self, model: str, checkpoint: str, repository: ModelRepository) -> int:
        self.exported.append(model)
        return len(self.exported)


class WholeRepository:
    """Has every version."""

    def verify(self, model: str, version: int) -> None:
        """Finds no damage."""


@pytest.fixture
def record(tmp_path: Path) -> BuildRecord:
    return BuildRecord(tmp_path / "record.json")


def built(record: BuildRecord, folder: Path, dataset: str, weights: dict[str, str]) -> list[str]:
    """The models that a build of the data set exports; training gives these weights."""
    steps = RecordedSteps(folder, dataset, weights)
    repository = cast(ModelRepository, WholeRepository())
    ModelBuild(record, cast(ModelSteps, steps), MODELS, repository).run()
    return steps.exported


def test_a_model_that_learns_nothing_is_exported_anew_only_where_its_weights_changed(
    record: BuildRecord, tmp_path: Path
) -> None:
    weights = {"bst": "b", "picture_encoder": "e"}
    assert built(record, tmp_path, "monday", weights) == ["bst", "picture_encoder"]
    assert built(record, tmp_path, "monday", weights) == []
    # Of what a data set teaches a version goes with it, even where the weights happen to be the same.
    assert built(record, tmp_path, "tuesday", weights) == ["bst"]
    assert built(record, tmp_path, "wednesday", weights | {"picture_encoder": "another release"}) == [
        "bst",
        "picture_encoder",
    ]
