"""Trained models in this process, called as the router would call them on Triton."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from evaluation.errors import EvaluationError
from features.history import history_inputs
from models.checkpoint import ModelRecord, load_checkpoint
from models.in_process import NetworkRunner
from models.kind import ModelKind
from models.registry import MODELS
from recall.channel import ModelCall, Services
from recall.query import Query


@dataclass(frozen=True)
class LoadedModel:
    """A checkpoint's network, the registration of its model, its record, and the network as a function."""

    kind: ModelKind
    network: nn.Module
    record: ModelRecord
    run: NetworkRunner

    @classmethod
    def of(cls, network: nn.Module, record: ModelRecord) -> LoadedModel:
        """A network beside the registration of the model that its record names."""
        kind = MODELS[record.model]
        return cls(kind, network, record, NetworkRunner(network, kind.tensors, kind.words(network)))

    def scores(self, query: Query, items: NDArray[np.int32]) -> NDArray[np.float32]:
        """float32[n]: the first output for one shopper's items int32[n], as ranking on Triton gives it."""
        # Copies, since an anonymous query's columns are read-only, which torch refuses to share silently.
        inputs = {
            **history_inputs(query.history_items, query.history_events, query.history_ts, query.now),
            "profile": np.array(query.profile_codes, dtype=np.int32)[None],
            "context": np.array(query.context_codes, dtype=np.int32)[None],
            "candidate_item": items.astype(np.int32),
            "candidate_row": np.zeros(len(items), np.int32),
        }
        scores: NDArray[np.float32] = next(iter(self.run(inputs).values()))
        return scores


def load_models(checkpoints: Mapping[str, Path], dataset: str) -> dict[str, LoadedModel]:
    """The models of the checkpoints (model → folder), by name.

    Raises CheckpointError where one cannot be read or holds another model, EvaluationError where one was not
    trained on the data set of that id.
    """
    loaded = {}
    for model, folder in checkpoints.items():
        network, record = load_checkpoint(folder, model)
        if record.dataset != dataset:
            raise EvaluationError(
                f"{folder} was trained on data set {record.dataset}, not {dataset}; train again"
            )
        loaded[model] = LoadedModel.of(network, record)
    return loaded


def item_vectors(models: Mapping[str, LoadedModel]) -> dict[str, NDArray[np.float32]]:
    """Model → item vectors, of those that make some: what `recall.channel.BuildSource` takes."""
    return {
        name: loaded.kind.makes(loaded.network)
        for name, loaded in models.items()
        if loaded.kind.makes is not None
    }


def services(models: Mapping[str, LoadedModel]) -> Services:
    """The models as channels call them; calling for another one raises KeyError."""

    def model(name: str) -> ModelCall:
        run = models[name].run

        async def call(query: Query, inputs: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
            return run(inputs)

        return call

    return Services(model)
