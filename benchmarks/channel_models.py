"""The networks that recall channels ask, with drawn weights, as they are served: graphs in ONNX Runtime.

What a call costs depends on a network's shape and the number of items, and not on what it learned. Every item
has an embedding of its own, which is the most that the tables can take.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from exporters.onnx_export import OnnxFormat
from exporters.runner import Runner
from models.contracts import contract
from models.item_features import ItemFeatures
from models.mind_network import Mind
from models.mind_settings import MindNetworkSettings
from models.sequential_network import Sequential
from models.sequential_settings import SequentialNetworkSettings
from recall.channel import Services
from recall.query import Query
from snapshot.catalogue import Catalogue

USERS_EACH = 10
"""Shoppers who took each item, so that none falls short of `min_item_users`."""

FORMS: Mapping[str, tuple[str, ...]] = {"mind": ("mind", "dual_gate"), "sequential": ("sequential",)}
"""Model → the forms of its network."""


@dataclass(frozen=True)
class ServedNetwork:
    """One form of a model's network as a graph.

    vectors   float32[N + 1, D] of the items
    export_s  seconds of the CPU that writing the graph took
    mib       size of the graph with its tables
    run       its inputs by name → its outputs by name, on one thread
    """

    vectors: NDArray[np.float32]
    export_s: float
    mib: float
    run: Runner

    def services(self) -> Services:
        """Answers every call of a channel from the graph, in this process."""

        async def call(query: Query, inputs: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
            return self.run(inputs)

        return Services(lambda model: call)


def served_network(form: str, catalogue: Catalogue, folder: Path, seed: int) -> ServedNetwork:
    """Draws the weights of a form (of `FORMS`) by the seed, and writes its graph into `folder`, made anew."""
    torch.manual_seed(seed)
    users = np.full(catalogue.size + 1, np.log1p(USERS_EACH), np.float32)
    features = replace(ItemFeatures.from_catalogue(catalogue), popularity=users)
    network, model = _network(form, features)
    vectors = network.item_vectors().numpy()
    folder.mkdir(parents=True)
    exporter, asked = OnnxFormat(), contract(model)
    began = time.process_time()
    exporter.write(network, asked, (), folder)
    took = time.process_time() - began
    size = sum(path.stat().st_size for path in folder.iterdir())
    return ServedNetwork(vectors, took, size / 2**20, exporter.open(folder, asked))


def _network(form: str, features: ItemFeatures) -> tuple[Mind | Sequential, str]:
    if form in FORMS["sequential"]:
        return Sequential(SequentialNetworkSettings(), features), "sequential"
    settings = MindNetworkSettings.model_validate({"form": form})
    return Mind(settings, features), "mind"
