"""Checkpoints: a folder with `weights.safetensors` and `model.json`, complete or absent.

model.json holds the network's name, hyperparameters, table sizes, data set id, seed and metrics, so that a
checkpoint is loaded without the data set it came from. Weights are safetensors: nothing in them is executed.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, Literal

import safetensors.torch
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from safetensors import SafetensorError

from models.bst import Bst
from models.item_features import ItemFeatures
from models.mind import Mind
from models.settings import BstSettings, MindSettings, TwoTowerSettings
from models.two_tower import TwoTower
from snapshot.durable_files import sync_file, sync_folder

WEIGHTS_NAME = "weights.safetensors"
RECORD_NAME = "model.json"

Network = Bst | Mind | TwoTower


class CheckpointError(RuntimeError):
    """A checkpoint cannot be written or read; the message names the folder, what is wrong and what to do."""


class ModelRecord(BaseModel):
    """What `model.json` holds."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    schema_version: Literal[1] = 1
    model: Literal["bst", "mind", "prerank"] = Field(description="Which network.")
    hyperparameters: dict[str, Any] = Field(
        description="`BstSettings`, `MindSettings` or `TwoTowerSettings`."
    )
    items: int = Field(ge=0, description="N: items known, dense indices 1…N.")
    code_counts: dict[str, int] = Field(description="Largest code of each item side feature.")
    profile_counts: list[int] = Field(default_factory=list, description="Largest code of each profile field.")
    dataset: str = Field(description="Id of the data set the model was trained on.")
    seed: int = Field(description="Seed of the training.")
    steps: int = Field(description="Training steps behind these weights.")
    metrics: dict[str, float] = Field(description="Metrics on the validation range.")
    training: dict[str, Any] = Field(default_factory=dict, description="Sample and training settings.")
    weights_sha256: str = Field("", description="Checksum of the weights file.")

    @field_validator("metrics", mode="before")
    @classmethod
    def _without_value(cls, metrics: Any) -> Any:
        """Read null, as JSON writes a metric that has no value (a range with nothing to order), as NaN."""
        if isinstance(metrics, dict):
            return {name: math.nan if value is None else value for name, value in metrics.items()}
        return metrics


def record_of(
    model: Network,
    *,
    dataset: str,
    seed: int,
    steps: int,
    metrics: dict[str, float],
    training: dict[str, Any],
) -> ModelRecord:
    """Describes a trained network; `training` holds the sample and training settings as plain values."""
    return ModelRecord(
        model=_name(model),
        hyperparameters=model.settings.model_dump(mode="json"),
        items=model.tables.items,
        code_counts=model.code_counts,
        profile_counts=[] if isinstance(model, Mind) else list(model.profile_counts),
        dataset=dataset,
        seed=seed,
        steps=steps,
        metrics=metrics,
        training=training,
    )


def _name(model: Network) -> Literal["bst", "mind", "prerank"]:
    if isinstance(model, Bst):
        return "bst"
    return "mind" if isinstance(model, Mind) else "prerank"


def save_checkpoint(model: Network, record: ModelRecord, folder: Path) -> Path:
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


def load_checkpoint(folder: Path) -> tuple[Network, ModelRecord]:
    """Loads a checkpoint, in eval mode on the CPU.

    Raises CheckpointError where a file is missing, damaged, or does not fit the network its record describes.
    """
    record = read_record(folder)
    path = folder / WEIGHTS_NAME
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise CheckpointError(f"{path} does not exist; train the model again") from None
    if hashlib.sha256(content).hexdigest() != record.weights_sha256:
        raise CheckpointError(f"{path} does not have the checksum in {RECORD_NAME}; train the model again")
    try:
        weights = safetensors.torch.load(content)
        features = ItemFeatures.from_weights(weights, record.code_counts)
        model = _network(record, features)
        model.load_state_dict(weights)
    except (SafetensorError, ValidationError, RuntimeError, KeyError) as error:
        raise CheckpointError(
            f"{path} does not fit the network of {RECORD_NAME}: {error}; train the model again"
        ) from error
    return model.eval(), record


def _network(record: ModelRecord, features: ItemFeatures) -> Network:
    """The network a record describes, its weights not yet loaded."""
    shape, profile_counts = record.hyperparameters, tuple(record.profile_counts)
    if record.model == "bst":
        return Bst(BstSettings.model_validate(shape), features, profile_counts)
    if record.model == "mind":
        return Mind(MindSettings.model_validate(shape), features)
    return TwoTower(TwoTowerSettings.model_validate(shape), features, profile_counts)


def load_bst(folder: Path) -> tuple[Bst, ModelRecord]:
    """Loads a BST checkpoint; CheckpointError where the folder holds another network."""
    model, record = load_checkpoint(folder)
    if not isinstance(model, Bst):
        raise CheckpointError(f"{folder} holds {record.model}, not bst; give the folder of a BST checkpoint")
    return model, record


def load_mind(folder: Path) -> tuple[Mind, ModelRecord]:
    """Loads a MIND checkpoint; CheckpointError where the folder holds another network."""
    model, record = load_checkpoint(folder)
    if not isinstance(model, Mind):
        raise CheckpointError(
            f"{folder} holds {record.model}, not mind; give the folder of a MIND checkpoint"
        )
    return model, record


def load_two_tower(folder: Path) -> tuple[TwoTower, ModelRecord]:
    """Loads a checkpoint of prerank; CheckpointError where the folder holds another network."""
    model, record = load_checkpoint(folder)
    if not isinstance(model, TwoTower):
        raise CheckpointError(
            f"{folder} holds {record.model}, not prerank; give the folder of a prerank checkpoint"
        )
    return model, record
