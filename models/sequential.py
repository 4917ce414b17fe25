"""The model `sequential`: one vector of a shopper by causal attention, trained by full softmax."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.kind import ModelKind, Trained, TrainingSource
from models.sequential_settings import SequenceSettings, SequentialNetworkSettings
from models.settings import ModelKindSettings
from models.shopper_inputs import HISTORY
from triton_repo.tensors import Tensor as TensorDeclaration
from triton_repo.tensors import Tensors

if TYPE_CHECKING:
    from torch import Tensor

    from models.checkpoint import ModelRecord
    from models.sequential_network import Sequential
    from models.training_loop import Progress


class SequentialSettings(ModelKindSettings):
    """SASRec, whose vector of a shopper recalls."""

    network: SequentialNetworkSettings = SequentialNetworkSettings()
    sequences: SequenceSettings = SequenceSettings()


def train(source: TrainingSource, settings: SequentialSettings, progress: Progress) -> Trained:
    """Trains on a data set; see `models.train_sequential`."""
    from models.train_sequential import train_sequential

    return Trained(
        *train_sequential(
            source.log,
            source.item_features(),
            source.cuts,
            settings.network,
            settings.sequences,
            settings.samples,
            settings.training,
            progress,
        )
    )


def restore(record: ModelRecord, weights: Mapping[str, Tensor]) -> Sequential:
    """The network of a checkpoint, its weights not yet loaded."""
    from models.item_features import ItemFeatures
    from models.sequential_network import Sequential

    features = ItemFeatures.from_weights(weights, record.code_counts)
    return Sequential(SequentialNetworkSettings.model_validate(record.hyperparameters), features)


def item_vectors(network: Sequential) -> NDArray[np.float32]:
    """float32[N + 1, D]; row 0 (unknown) is zero."""
    vectors: NDArray[np.float32] = network.item_vectors().numpy()
    return vectors


MODEL = ModelKind(
    settings=SequentialSettings,
    tensors=Tensors(HISTORY[:2], (TensorDeclaration("interests", "float32", ("B", 1, -1)),)),
    train=train,
    weighs_takes=True,
    restore=restore,
    makes=item_vectors,
    warm_up={"B": 1},
    description="SASRec: one vector of each of B shoppers; its product with an item's vector is a logit.",
)
