"""Trained models in this process, called as the router would call them on Triton."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
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
from models.ranker_inputs import reads_ranker_inputs
from models.registry import MODELS
from pipeline.candidates import Candidates, unscored
from recall.channel import BuildSource, ModelCall, Services
from recall.item_facts import ItemFacts, item_facts
from recall.query import Query
from router.ranking.ranker_model import ranker_feeds, with_ranker_inputs
from snapshot.catalogue import Catalogue
from snapshot.growing_columns import mapped


@dataclass(frozen=True)
class LoadedModel:
    """A checkpoint's network, the registration of its model, its record, and the network as a function."""

    kind: ModelKind
    network: nn.Module
    record: ModelRecord
    run: NetworkRunner
    facts: tuple[ItemFacts, Catalogue] | None = None
    """Of the items, for a model that reads the inputs of the last layer."""

    @classmethod
    def of(cls, network: nn.Module, record: ModelRecord) -> LoadedModel:
        """A network beside the registration of the model that its record names."""
        kind = MODELS[record.model]
        return cls(kind, network, record, NetworkRunner(network, kind.tensors, kind.words(network)))

    def ranked(self, query: Query, candidates: Candidates) -> NDArray[np.float32]:
        """float32[n]: the first output for one shopper's candidates, as ranking on Triton gives it.

        A model that reads the inputs of the last layer needs their columns (`router.ranking.ranker_model`).
        """
        if not reads_ranker_inputs(self.kind.tensors):
            return self.scores(query, candidates.items)
        scores: NDArray[np.float32] = next(iter(self.run(ranker_feeds(query, candidates)).values()))
        return scores

    def scores(self, query: Query, items: NDArray[np.int32]) -> NDArray[np.float32]:
        """float32[n]: the first output for one shopper's items int32[n], as ranking on Triton gives it.

        A model that reads the inputs of the last layer needs `facts`.
        """
        if reads_ranker_inputs(self.kind.tensors):
            if self.facts is None:
                raise EvaluationError(f"the model {self.record.model} is scored without the items' facts")
            nowhere = np.zeros(len(items), np.float32)
            plain = unscored(
                items.astype(np.int32), nowhere.astype(np.uint32), nowhere, nowhere.astype(np.int32)
            )
            return self.ranked(query, with_ranker_inputs(query, plain, *self.facts))
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


def with_facts(
    models: Mapping[str, LoadedModel], source: BuildSource, rate_prior: float
) -> dict[str, LoadedModel]:
    """The models, those that read the inputs of the last layer with the items' facts of `source`.

    rate_prior: as of the table `logistic_ranker`.
    """
    if not any(reads_ranker_inputs(model.kind.tensors) for model in models.values()):
        return dict(models)
    facts = item_facts(source, rate_prior), source.catalogue
    return {name: replace(model, facts=facts) for name, model in models.items()}


def item_vectors(models: Mapping[str, LoadedModel]) -> dict[str, NDArray[np.float32]]:
    """Model → item vectors, of those that make some: what `recall.channel.BuildSource` takes.

    They are mapped from files: those of ten million items are gigabytes.
    """
    return {
        name: mapped(loaded.kind.makes(loaded.network))
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
