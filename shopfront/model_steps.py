"""The build steps of one model: its training, its export, its TensorRT engine.

Torch is imported inside them, so that a build that finds everything unchanged does not wait for it.
"""

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.checkpoint_files import verify_checkpoint
from models.registry import MODELS
from models.settings import ModelKindSettings
from shopfront.cluster.chosen_work import work_of
from shopfront.cluster.ray_cluster import RayCluster, silent
from shopfront.progress import Progress
from shopfront.settings import Settings
from shopfront.workspace import Workspace
from snapshot.dataset import Dataset, DatasetStore
from triton_repo.repository import ModelRepository

if TYPE_CHECKING:
    from shopfront.trainer_process import Report, TrainerProcess
    from shopfront.training import Trained

WORTH_STEPS = 200
"""Steps of training from which a process of its own pays: so many take as long as it does to start."""


@dataclass(frozen=True)
class ModelSteps:
    """Trains and exports the models of a workspace on one data set."""

    workspace: Workspace
    settings: Settings
    progress: Progress
    dataset: str
    """The data set's id."""
    cluster: RayCluster | None = None
    """Where samples are cut of models that this process trains; None: here."""
    _begun: dict[str, "TrainerProcess"] = field(default_factory=dict, init=False)
    _core_freed: threading.Event = field(default_factory=threading.Event, init=False)

    def sample_rules(self, model: str) -> dict[str, dict[str, Any]]:
        """Name of a sample rule that acts on the model's training → its settings, as JSON."""
        if not MODELS[model].weighs_takes:
            return {}
        acting = self.settings.samples.of_models()
        return {name: section.model_dump(mode="json") for name, section in acting.items()}

    def checkpoint(self, model: str, name: str) -> Path:
        """Folder of a checkpoint of the model."""
        return self.workspace.checkpoints / model / name

    def verify_checkpoint(self, model: str, name: str) -> None:
        """Raises CheckpointDamaged where a file of the checkpoint is not as it was written."""
        verify_checkpoint(self.checkpoint(model, name))

    def begin(self, models: Sequence[str]) -> None:
        """Begins to train models without teachers in processes beside this one, which trains another.

        So many as there are cores for, of those whose training is long enough; `train` waits for them.
        """
        cores = len(os.sched_getaffinity(0))
        for model in models:
            if self._on_nodes(model):
                continue
            section = self._section(model)
            cores -= section.training.threads
            if cores < 1:
                return
            if section.training.max_steps >= WORTH_STEPS:
                from shopfront.trainer_process import TrainerProcess

                self._begun[model] = TrainerProcess(
                    self.settings.plugins,
                    model,
                    self.workspace.datasets / self.dataset,
                    section,
                    self.workspace.checkpoints,
                    self.sample_rules(model),
                    self._core_freed.set,
                )

    def core_beside(self, model: str) -> Callable[[], object] | None:
        """What waits until a core is free beside the training of `model` in this process and those begun.

        None where none is before that training ends, or where it is too short to do anything meanwhile.
        """
        if self._section(model).training.max_steps < WORTH_STEPS:
            return None
        busy = sum(self._section(each).training.threads for each in (model, *self._begun))
        if busy < len(os.sched_getaffinity(0)):
            return lambda: None
        return self._core_freed.wait if self._begun else None

    def begun(self, model: str) -> "TrainerProcess | None":
        """The process that trains the model beside this one; None where none does."""
        return self._begun.get(model)

    def stop(self) -> None:
        """Ends what `begin` has begun and is not done."""
        for process in self._begun.values():
            process.stop()

    def train(self, model: str, teachers: Mapping[str, str]) -> str:
        """Trains the model; returns the checkpoint's name. `teachers`: model → checkpoint, of each.

        Raises:
            TrainingError: the data set holds too little, or the loss is not finite.
            CheckpointError: a teacher cannot be read.
        """
        from shopfront.training import train_model

        begun = self._begun.get(model)
        with self.progress.step(f"train {model}", None if begun is None else begun.began) as step:
            if begun is not None:
                trained = begun.wait(step.training)
                step.ended = begun.ended
            elif self._on_nodes(model):
                trained = self._train_on_nodes(model, step.training)
            else:
                trained = train_model(
                    model,
                    self._opened(),
                    self._section(model),
                    self.workspace.checkpoints,
                    step.training,
                    teachers,
                    work_of(self.cluster, None, self.workspace.jobs, silent),
                    self.sample_rules(model),
                )
        self.progress.trained(model, trained.metrics)
        return trained.checkpoint

    def _on_nodes(self, model: str) -> bool:
        """Whether workers on the cluster's nodes train the model."""
        return (
            self.cluster is not None
            and self.cluster.settings.training_workers > 1
            and MODELS[model].shares_batches
        )

    def _train_on_nodes(self, model: str, progress: "Report") -> "Trained":
        from models.training_loop import TrainingError
        from shopfront.cluster.ray_train import SharedTraining
        from shopfront.training import Trained

        assert self.cluster is not None
        ended = SharedTraining(
            model,
            self.workspace.datasets / self.dataset,
            self._section(model).model_dump(mode="json"),
            self.workspace.checkpoints,
            self.sample_rules(model),
        ).run(self.cluster, self.workspace.jobs, progress)
        if ended.fault:
            raise TrainingError(ended.fault)
        return Trained(ended.checkpoint, ended.metrics)

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

    def _section(self, model: str) -> ModelKindSettings:
        section: ModelKindSettings = getattr(self.settings.models, model)
        return section
