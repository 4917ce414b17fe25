"""The build steps of one model: its training, its export, its TensorRT engine.

Torch is imported inside them, so that a build that finds everything unchanged does not wait for it.
"""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from models.checkpoint_files import verify_checkpoint
from shopfront.progress import Progress
from shopfront.settings import Settings
from shopfront.workspace import Workspace
from snapshot.dataset import Dataset, DatasetStore
from triton_repo.repository import ModelRepository


@dataclass(frozen=True)
class ModelSteps:
    """Trains and exports the models of a workspace on one data set."""

    workspace: Workspace
    settings: Settings
    progress: Progress
    dataset: str
    """The data set's id."""

    def checkpoint(self, model: str, name: str) -> Path:
        """Folder of a checkpoint of the model."""
        return self.workspace.checkpoints / model / name

    def verify_checkpoint(self, model: str, name: str) -> None:
        """Raises CheckpointDamaged where a file of the checkpoint is not as it was written."""
        verify_checkpoint(self.checkpoint(model, name))

    def train(self, model: str, teachers: Mapping[str, str]) -> str:
        """Trains the model; returns the checkpoint's name. `teachers`: model → checkpoint, of each."""
        from shopfront.training import train_model

        with self.progress.step(f"train {model}") as step:
            trained = train_model(
                model,
                self._opened(),
                getattr(self.settings.models, model),
                self.workspace.checkpoints,
                step.training,
                teachers,
            )
        self.progress.trained(model, trained.metrics)
        return trained.checkpoint

    def export(self, model: str, checkpoint: str, repository: ModelRepository) -> int:
        """Exports a checkpoint into the model repository; returns the version's number."""
        from exporters.checkpoint_export import export

        with self.progress.step(f"export {model}"):
            exported = export(
                self.checkpoint(model, checkpoint),
                self._opened(),
                repository,
                self.settings.export,
                seed=self.settings.seed,
                clock=time.time,
            )
        self.progress.exported(model, exported.candidates)
        return exported.version

    def machine(self) -> dict[str, str]:
        """The TensorRT and the GPU an engine belongs to; ExportRefused naming what is missing."""
        from exporters.tensorrt_engine import find_builder

        return asdict(find_builder())

    def engine(self, engine: str, checkpoint: Path, repository: ModelRepository) -> int:
        """Builds the TensorRT engine of a checkpoint; returns the version's number."""
        from exporters.tensorrt_export import export_tensorrt

        with self.progress.step(f"engine {engine}"):
            version, manifest = export_tensorrt(
                checkpoint,
                self._opened(),
                repository,
                self.settings.export,
                seed=self.settings.seed,
                clock=time.time,
            )
        self.progress.exported(engine, manifest.candidates)
        return version

    def _opened(self) -> Dataset:
        return DatasetStore(self.workspace.datasets).open(self.dataset, verify=False)
