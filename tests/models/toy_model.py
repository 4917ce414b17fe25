"""A shop's own model in one file, as a plug-in registers it: numbers and text in, a vector and a code out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from models.kind import ModelKind, Trained, TrainingSource
from models.moments import Moments
from models.settings import ModelKindSettings, NetworkSettings
from triton_repo.tensors import Tensor, Tensors

if TYPE_CHECKING:
    from torch import nn

    from models.checkpoint import ModelRecord
    from models.training_loop import Progress


class ToyNetworkSettings(NetworkSettings):
    """Shape of the network."""

    dimension: int = 8


class ToySettings(ModelKindSettings):
    """A model of a test."""

    network: ToyNetworkSettings = ToyNetworkSettings()


def _network(settings: ToyNetworkSettings, words: Sequence[str], items: int) -> nn.Module:
    import torch
    from torch import nn

    class Toy(nn.Module):
        """float32[B, 4] and codes int64[B] → float32[B, D] and int64[B]."""

        def __init__(self) -> None:
            super().__init__()
            self.words = list(words)
            self.mood = nn.Embedding(len(words) + 1, settings.dimension)
            self.item = nn.Embedding(items + 1, settings.dimension)
            self.numbers = nn.Linear(4, settings.dimension)

        def forward(self, numbers: torch.Tensor, mood: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            vector = nn.functional.normalize(self.numbers(numbers) + self.mood(mood), dim=-1)
            return vector, vector.argmax(-1) + 100 * mood

    return Toy()


def train(source: TrainingSource, settings: ToySettings, progress: Progress) -> Trained:
    """Draws the weights and learns nothing: what follows from the registration is what is tested."""
    import torch

    from models.training_loop import TrainingResult

    torch.manual_seed(settings.training.seed)
    words = ["busy", "glücklich", "curious"]
    network = _network(settings.network, words, source.dataset.catalogue.size)
    progress(1, 1, 0.0, {})
    return Trained(network.eval(), TrainingResult(1, {"accuracy": 1.0}), {"words": words})


def restore(record: ModelRecord, weights: Mapping[str, Any]) -> nn.Module:
    """The network of a checkpoint."""
    settings = ToyNetworkSettings.model_validate(record.hyperparameters)
    return _network(settings, record.facts["words"], record.items)


def inputs(moments: Moments) -> Mapping[str, np.ndarray]:
    """How many behaviours, the hour and the weekday; the text is made of the user's number."""
    length = moments.history_end - moments.history_start
    hour = moments.now // 3600
    numbers = np.stack([length, hour % 24, hour // 24 % 7, moments.user], axis=1) / 10
    moods = np.array([b"busy", "glücklich".encode(), b"\xff\x00 no text", b""], dtype=object)
    return {"numbers": numbers, "mood": moods[moments.user % 4]}


def item_vectors(network: Any) -> np.ndarray:
    """float32[N + 1, D], of length 1, row 0 zero."""
    vectors = network.item.weight.detach().numpy().copy()
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[0] = 0
    return np.asarray(vectors)


MODEL = ModelKind(
    settings=ToySettings,
    tensors=Tensors(
        (Tensor("numbers", "float32", ("B", 4)), Tensor("mood", "bytes", ("B",))),
        (Tensor("vector", "float32", ("B", -1)), Tensor("code", "int64", ("B",))),
    ),
    train=train,
    restore=restore,
    makes=item_vectors,
    inputs=inputs,
    words=lambda network: {"mood": [word.encode() for word in network.words]},
)
MODELS = {"toy": MODEL}
