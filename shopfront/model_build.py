"""The models of a build: each is trained and exported where its inputs changed, several at the same time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from models.checkpoint_files import weights_checksum
from models.registry import MODELS
from shopfront.build_record import BuildRecord, fingerprint
from shopfront.build_step import run_step
from shopfront.channels_process import ChannelsProcess
from shopfront.model_steps import ModelSteps
from triton_repo.engine_names import ENGINE_SUFFIX
from triton_repo.repository import ModelRepository


@dataclass(frozen=True)
class ModelBuild:
    """The models `order` of a build, each after its teachers, into `repository`."""

    record: BuildRecord
    steps: ModelSteps
    order: Sequence[str]
    repository: ModelRepository

    def begin(self, no_pictures: str, data: Path | None, *, channels: bool) -> ChannelsProcess | None:
        """Begins what can be made beside the training in this process; returns what builds channels.

        Args:
            no_pictures: why the items' pictures are not used, "" where they are.
            data: the shop's folder.
            channels: whether channels may be built on this machine.
        """
        steps, settings = self.steps, self.steps.settings
        here, *beside = self._to_train() or [""]
        if not settings.parallel_training or not here:
            return None
        steps.begin(beside)
        wait = steps.core_beside(here)
        if not channels or wait is None or not no_pictures:
            # Channels of pictures are built once those are encoded.
            return None
        return ChannelsProcess(
            settings.plugins,
            steps.workspace.datasets / steps.dataset,
            data,
            settings.router.recall,
            no_pictures,
            settings.seed,
            steps.workspace.snapshots,
            wait,
        )

    def beside(self, model: str) -> dict[str, Callable[[], str | None]] | None:
        """How the checkpoints of all models but `model` come to be known while it is trained in this process.

        Each waits for one: its name, or None where it cannot be made. None where another model is trained in
        this process, or this one is not.
        """
        here, *_ = self._to_train() or [""]
        if here != model:
            return None
        found: dict[str, Callable[[], str | None]] = {}
        for other in (each for each in self.order if each != model):
            begun = self.steps.begun(other)
            if begun is not None:
                found[other] = begun.checkpoint
                continue
            made = self._made(other)
            if made is None:
                return None
            found[other] = partial(_same, made)
        return found

    def run(self, trained: Callable[[str, str], None] | None = None) -> tuple[dict[str, str], dict[str, int]]:
        """Model → checkpoint, and model or engine → version, of the models in `order`.

        trained: called with each model and its checkpoint, before it is exported.
        """
        steps, record, repository = self.steps, self.record, self.repository
        versions: dict[str, int] = {}
        checkpoints: dict[str, str] = {}
        export = steps.settings.export.model_dump(mode="json")
        for model in self.order:
            teachers = {teacher: checkpoints[teacher] for teacher in MODELS[model].teachers}
            checkpoints[model] = run_step(
                steps.progress,
                record,
                f"checkpoint {model}",
                self._training_inputs(model, teachers),
                partial(steps.train, model, teachers),
                partial(steps.verify_checkpoint, model),
            )
            if trained is not None:
                trained(model, checkpoints[model])
            versions[model] = run_step(
                steps.progress,
                record,
                f"version {model}",
                {
                    **self._weights(model, checkpoints[model]),
                    "settings": export,
                    # A version of before another output was declared lacks it.
                    "outputs": [each.name for each in MODELS[model].tensors.outputs],
                },
                partial(steps.export, model, checkpoints[model], repository),
                partial(repository.verify, model),
            )
        if steps.settings.export.tensorrt.build:
            for model in (model for model in self.order if MODELS[model].engine):
                engine = f"{model}{ENGINE_SUFFIX}"
                versions[engine] = run_step(
                    steps.progress,
                    record,
                    f"engine {engine}",
                    {"checkpoint": checkpoints[model], "settings": export, "machine": steps.machine()},
                    partial(steps.engine, engine, steps.checkpoint(model, checkpoints[model]), repository),
                    partial(repository.verify, engine),
                )
        return checkpoints, versions

    def _to_train(self) -> list[str]:
        """Those without teachers that were not trained on these inputs before, in this order."""
        return [model for model in self.order if not MODELS[model].teachers and self._made(model) is None]

    def _made(self, model: str) -> str | None:
        """The checkpoint of a model without teachers that was trained on these inputs before."""
        if MODELS[model].teachers:
            return None
        made: str | None = self.record.made(
            f"checkpoint {model}", fingerprint(self._training_inputs(model, {}))
        )
        return made

    def _weights(self, model: str, checkpoint: str) -> dict[str, str]:
        """What a version is made from: a kind that learns nothing has the same weights of every data set."""
        if MODELS[model].learns:
            return {"checkpoint": checkpoint}
        return {"weights": weights_checksum(self.steps.checkpoint(model, checkpoint))}

    def _training_inputs(self, model: str, teachers: Mapping[str, str]) -> dict[str, Any]:
        section: BaseModel = getattr(self.steps.settings.models, model)
        return {
            "dataset": self.steps.dataset,
            "settings": section.model_dump(mode="json"),
            **({"sample_rules": rules} if (rules := self.steps.sample_rules(model)) else {}),
            **_taught_by(teachers),
        }


def _same(checkpoint: str) -> str:
    return checkpoint


def _taught_by(teachers: Mapping[str, str]) -> dict[str, str]:
    """What a step's inputs hold of the teachers: their checkpoints; nothing where there are none."""
    return {"teacher": ", ".join(teachers.values())} if teachers else {}
