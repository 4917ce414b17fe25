"""Checkpoints: a folder with `weights.safetensors` and `model.json`, complete or absent.

model.json holds the model's name, hyperparameters, table sizes, data set id, seed and metrics, so that a
checkpoint is loaded without the data set it came from. Weights are safetensors: nothing in them is executed.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import safetensors.torch
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from safetensors import SafetensorError
from torch import nn

from models.checkpoint_files import RECORD_NAME, WEIGHTS_NAME
from models.item_features import ItemFeatures
from models.kind import ModelKind, profile_counts
from models.registry import MODELS
from snapshot.checksums import sha256_of
from snapshot.dataset import Dataset
from snapshot.durable_files import sync_file, sync_folder

_MAPPED_BYTES = 4 * 2**20
"""Tensors of so many bytes or more, the tables of items, stay in the file that they are read from."""


class CheckpointError(RuntimeError):
    """A checkpoint cannot be written or read; the message names the folder, what is wrong and what to do."""


class ModelRecord(BaseModel):
    """What `model.json` holds."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    schema_version: Literal[1] = 1
    model: str = Field(description="Name of the model in the registry.")
    hyperparameters: dict[str, Any] = Field(description="Settings of the network, the section `network`.")
    items: int = Field(ge=0, description="N: items known, dense indices 1…N.")
    code_counts: dict[str, int] = Field(description="Largest code of each item side feature.")
    profile_counts: list[int] = Field(default_factory=list, description="Largest code of each profile field.")
    dataset: str = Field(description="Id of the data set the model was trained on.")
    seed: int = Field(description="Seed of the training.")
    steps: int = Field(description="Training steps behind these weights.")
    metrics: dict[str, float] = Field(description="Metrics on the validation range.")
    training: dict[str, Any] = Field(default_factory=dict, description="Sample and training settings.")
    weights_sha256: str = Field("", description="Checksum of the weights file.")
    facts: dict[str, Any] = Field(
        default_factory=dict, description="What else the model needs to restore its network."
    )

    @field_validator("metrics", mode="before")
    @classmethod
    def _without_value(cls, metrics: Any) -> Any:
        """Read null, as JSON writes a metric that has no value (a range with nothing to order), as NaN."""
        if isinstance(metrics, dict):
            return {name: math.nan if value is None else value for name, value in metrics.items()}
        return metrics


@dataclass(frozen=True, slots=True)
class TrainedOn:
    """What a record keeps of the data set: its id, N, and the largest code of each feature and field."""

    dataset: str
    items: int
    code_counts: Mapping[str, int]
    profile_counts: Sequence[int]

    @classmethod
    def of(cls, dataset: Dataset) -> TrainedOn:
        """Of a data set's catalogue."""
        features = ItemFeatures.from_catalogue(dataset.catalogue)
        return cls(dataset.manifest.id, features.items, features.code_counts, profile_counts(dataset))


def record_of(
    model: str,
    network: BaseModel,
    trained_on: TrainedOn,
    *,
    seed: int,
    steps: int,
    metrics: Mapping[str, float],
    training: Mapping[str, Any],
    facts: Mapping[str, Any] | None = None,
) -> ModelRecord:
    """Describes a trained network.

    Args:
        model: its name in the registry.
        network: settings of its shape.
        trained_on: its data set.
        seed: of the training.
        steps: training steps behind the weights.
        metrics: on the validation range.
        training: the sample and training settings as plain values, and the teachers' checkpoints.
        facts: what else the model needs to restore the network, as plain values.
    """
    return ModelRecord(
        model=model,
        hyperparameters=network.model_dump(mode="json"),
        items=trained_on.items,
        code_counts=dict(trained_on.code_counts),
        profile_counts=list(trained_on.profile_counts),
        dataset=trained_on.dataset,
        seed=seed,
        steps=steps,
        metrics=dict(metrics),
        training=dict(training),
        facts=dict(facts or {}),
    )


def save_checkpoint(model: nn.Module, record: ModelRecord, folder: Path) -> Path:
    """Writes the checkpoint to `folder`: first beside it under a temporary name, fsynced, then renamed.

    An older checkpoint of that name is replaced. Returns `folder`.

    Raises CheckpointError where a weight is NaN or infinite.
    """
    weights = {name: tensor.detach().contiguous() for name, tensor in model.state_dict().items()}
    broken = [n for n, t in weights.items() if t.is_floating_point() and not bool(torch.isfinite(t).all())]
    if broken:
        raise CheckpointError(
            f"{folder}: not written, because these weights are NaN or infinite: {', '.join(broken)}; "
            "train again with a lower learning rate"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        content = safetensors.torch.save(weights)
        record = record.model_copy(update={"weights_sha256": hashlib.sha256(content).hexdigest()})
        (staged / WEIGHTS_NAME).write_bytes(content)
        (staged / RECORD_NAME).write_text(record.model_dump_json(indent=2) + "\n")
        for name in (WEIGHTS_NAME, RECORD_NAME):
            sync_file(staged / name)
        sync_folder(staged)
        staged.chmod(0o755)
        if folder.exists():
            retired = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
            os.rename(folder, retired / folder.name)
            os.rename(staged, folder)
            shutil.rmtree(retired)
        else:
            os.rename(staged, folder)
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        raise
    sync_folder(folder.parent)
    return folder


def read_record(folder: Path) -> ModelRecord:
    """Reads `model.json`; raises CheckpointError where it is missing or not valid."""
    path = folder / RECORD_NAME
    try:
        return ModelRecord.model_validate(json.loads(path.read_bytes()))
    except FileNotFoundError:
        raise CheckpointError(f"{path} does not exist; train the model first") from None
    except (ValueError, ValidationError) as error:
        raise CheckpointError(
            f"{path} is not a checkpoint's record: {error}; train the model again"
        ) from error


def load_checkpoint(folder: Path, model: str | None = None) -> tuple[nn.Module, ModelRecord]:
    """Loads a checkpoint, in eval mode on the CPU; its large tables are mapped from the file.

    Args:
        folder: the checkpoint.
        model: the model it must hold; None takes any.

    Returns:
        The network, of the class that the model's registration restores, and its record.

    Raises:
        CheckpointError: a file is missing, damaged, or does not fit the network its record describes; the
            model is not registered, or another one than `model`.
    """
    record = read_record(folder)
    if model is not None and record.model != model:
        raise CheckpointError(
            f"{folder} holds {record.model}, not {model}; give the folder of a checkpoint of {model}"
        )
    kind = _kind(folder, record)
    path = folder / WEIGHTS_NAME
    try:
        found = sha256_of(path)
    except FileNotFoundError:
        raise CheckpointError(f"{path} does not exist; train the model again") from None
    if found != record.weights_sha256:
        raise CheckpointError(f"{path} does not have the checksum in {RECORD_NAME}; train the model again")
    try:
        mapped = safetensors.torch.load_file(path)
        # Small tensors are copied: products run over memory that is aligned as it is in training.
        weights = {n: t if t.nbytes >= _MAPPED_BYTES else t.clone() for n, t in mapped.items()}
        network = kind.restore(record, weights)
        network.load_state_dict(weights, assign=True)
    except (SafetensorError, ValidationError, RuntimeError, KeyError) as error:
        raise CheckpointError(
            f"{path} does not fit the network of {RECORD_NAME}: {error}; train the model again"
        ) from error
    return network.eval(), record


def _kind(folder: Path, record: ModelRecord) -> ModelKind:
    try:
        return MODELS[record.model]
    except KeyError:
        raise CheckpointError(
            f"{folder} holds the model {record.model}, which is not registered (there are"
            f" {', '.join(MODELS)}); name the module that registers it under plugins"
        ) from None
