"""The model `sequential` on sequences of which each one's last items are left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.next_item_parts import Part
from features.history import encode_history
from models.in_process import NetworkRunner
from models.interaction_log import InteractionLog
from models.item_features import ItemFeatures
from models.nearest_items import nearest_items
from models.sequential import MODEL, SequentialSettings
from models.sequential_network import Sequential
from models.train_sequential import SequenceFit
from models.training_loop import Progress, TrainingResult, silent, train
from recall.channel import ModelCall, Services
from recall.query import Query
from recall.sequential import NAME as SEQUENTIAL

CUT = 10


@dataclass(frozen=True)
class TrainedNetwork:
    """A network and how its training went."""

    network: Sequential
    result: TrainingResult

    def vectors(self) -> NDArray[np.float32]:
        """float32[N + 1, D], of the items."""
        assert MODEL.makes is not None
        return MODEL.makes(self.network)

    def services(self) -> Services:
        """The network as the channels call it."""
        run = NetworkRunner(self.network, MODEL.tensors, {})

        async def call(query: Query, inputs: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
            return run(inputs)

        answer: ModelCall = call
        return Services(lambda _: answer)


def train_next_item(part: Part, settings: SequentialSettings, progress: Progress = silent) -> TrainedNetwork:
    """Trains on all events of the part's source, stopping early by NDCG@10 of what its shoppers take next."""
    source, hidden = part.source, part.hidden
    torch.set_num_threads(settings.training.threads)
    torch.manual_seed(settings.training.seed)
    catalogue = source.catalogue
    log = InteractionLog.from_frames(
        source.events, source.users, catalogue.size, np.asarray(catalogue.category)
    )
    network = Sequential(settings.network, ItemFeatures.from_catalogue(catalogue))
    fit = SequenceFit(log, source.now + 1, network, settings.sequences, settings.samples)
    queries = [shopper.query for shopper in part.shoppers]
    encoded = [
        encode_history(query.history_items, query.history_events, query.history_ts, query.now)
        for query in queries
    ]
    item, event = (torch.from_numpy(np.stack([row[column] for row in encoded])) for column in (0, 1))
    targets = np.array([shopper.targets[0] for shopper in part.shoppers])
    deep = CUT + max((len(items) for items in hidden), default=0)

    def validate() -> dict[str, float]:
        vectors = network.item_vectors()
        rows = []
        for part in torch.arange(len(queries)).split(512):
            with torch.inference_mode():
                rows.append(nearest_items(network(item[part], event[part]), vectors, deep))
        gains = np.zeros((len(queries), 2))
        for row, (found, target, seen) in enumerate(zip(np.concatenate(rows), targets, hidden, strict=True)):
            at = np.flatnonzero(found[~np.isin(found, seen)][:CUT] == target)
            if len(at):
                gains[row] = 1, 1 / np.log2(at[0] + 2)
        return dict(zip((f"hr@{CUT}", f"ndcg@{CUT}"), gains.mean(axis=0).tolist(), strict=True))

    training = settings.training.bounded_by(len(fit.sequences))
    losses = fit.losses(training.batch_size, np.random.default_rng(training.seed))
    return TrainedNetwork(network, train(network, losses, validate, f"ndcg@{CUT}", training, progress))


def with_network(
    validation: Part, test: Part, settings: SequentialSettings
) -> tuple[tuple[Part, Part], Services]:
    """Both parts with the item vectors of a network that is trained on the validation part, and its call."""
    trained = train_next_item(validation, settings)
    print(f"{SEQUENTIAL}: {trained.result.steps} steps; {trained.result.metrics}")
    vectors = {SEQUENTIAL: trained.vectors()}
    first, second = (
        replace(part, source=replace(part.source, vectors=vectors)) for part in (validation, test)
    )
    return (first, second), trained.services()
