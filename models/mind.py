"""The model `mind`: several interest vectors of a shopper, in the space of the item vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from models.kind import ModelKind, Trained, TrainingSource
from models.settings import ModelKindSettings, NetworkSettings
from models.shopper_inputs import HISTORY
from triton_repo.tensors import Tensor as TensorDeclaration
from triton_repo.tensors import Tensors

if TYPE_CHECKING:
    from torch import Tensor

    from models.checkpoint import ModelRecord
    from models.mind_network import Mind
    from models.training_loop import Progress


class MindNetworkSettings(NetworkSettings):
    """Shape of MIND (Li et al. 2019, arXiv:1904.08030)."""

    dimension: int = Field(64, ge=4, description="Width of item and interest vectors, floats.")
    interests: int = Field(4, ge=1, description="Largest number of interests of one shopper.")
    routing_iterations: int = Field(3, ge=1, description="Iterations of behaviour-to-interest routing.")
    power: float = Field(
        2.0,
        ge=0,
        description="Power p of label-aware attention: 0 weighs all interests alike, large picks one.",
    )
    temperature: float = Field(
        0.07, gt=0, description="Cosines are divided by this before the softmax; no unit."
    )
    min_item_users: int = Field(
        1,
        ge=0,
        description="Items taken by fewer shoppers before the validation cut have no embedding of their own.",
    )
    id_dropout: float = Field(
        0.1, ge=0, lt=1, description="Share of item ids replaced by the unknown item's in training."
    )
    shared_negatives: int = Field(
        2048, ge=1, description="Negatives drawn for one batch and shared by its samples, items."
    )
    negative_power: float = Field(
        0.75, ge=0, description="Negatives are drawn ∝ (frequency + smoothing)^power."
    )
    negative_smoothing: float = Field(
        1.0, gt=0, description="Added to each item's frequency, so that items without events are drawn too."
    )


class MindSettings(ModelKindSettings):
    """MIND, whose interests recall."""

    network: MindNetworkSettings = MindNetworkSettings()


def train(source: TrainingSource, settings: MindSettings, progress: Progress) -> Trained:
    """Trains on a data set; see `models.train_mind`."""
    from models.train_mind import train_mind

    return Trained(
        *train_mind(
            source.log,
            source.item_features(),
            source.cuts,
            settings.network,
            settings.samples,
            settings.training,
            progress,
        )
    )


def restore(record: ModelRecord, weights: Mapping[str, Tensor]) -> Mind:
    """The network of a checkpoint, its weights not yet loaded."""
    from models.item_features import ItemFeatures
    from models.mind_network import Mind

    features = ItemFeatures.from_weights(weights, record.code_counts)
    return Mind(MindNetworkSettings.model_validate(record.hyperparameters), features)


def item_vectors(network: Mind) -> NDArray[np.float32]:
    """float32[N + 1, D], of length 1; row 0 (unknown) is zero."""
    vectors: NDArray[np.float32] = network.item_vectors().numpy()
    return vectors


MODEL = ModelKind(
    settings=MindSettings,
    tensors=Tensors(HISTORY, (TensorDeclaration("interests", "float32", ("B", -1, -1)),)),
    train=train,
    restore=restore,
    makes=item_vectors,
    warm_up={"B": 1},
    description="MIND: the interests of B shoppers, K vectors of D each, L2-normalised.",
)
