"""The model `mind`: several interest vectors of a shopper, in the space of the item vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.kind import ModelKind, Trained, TrainingSource
from models.mind_settings import MindNetworkSettings
from models.settings import ModelKindSettings
from models.shopper_inputs import HISTORY
from triton_repo.tensors import Tensor as TensorDeclaration
from triton_repo.tensors import Tensors

if TYPE_CHECKING:
    from torch import Tensor

    from models.checkpoint import ModelRecord
    from models.mind_network import Mind
    from models.training_loop import Progress


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
            source.share,
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
    weighs_takes=True,
    shares_batches=True,
    restore=restore,
    makes=item_vectors,
    warm_up={"B": 1},
    description="MIND: the interests of B shoppers, K vectors of D each, L2-normalised.",
)
