"""The model `bst`: a Behavior Sequence Transformer that ranks candidates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.bst_settings import BstNetworkSettings
from models.kind import ModelKind, Trained, TrainingSource
from models.settings import ModelKindSettings
from models.shopper_inputs import CANDIDATES, SHOPPER
from triton_repo.tensors import Tensor as TensorDeclaration
from triton_repo.tensors import Tensors

if TYPE_CHECKING:
    from torch import Tensor, nn

    from models.bst_network import Bst
    from models.checkpoint import ModelRecord
    from models.interaction_log import InteractionLog
    from models.labelled_points import LabelledPoints
    from models.training_loop import Progress


class BstSettings(ModelKindSettings):
    """The Behavior Sequence Transformer that ranks."""

    network: BstNetworkSettings = BstNetworkSettings()


def train(source: TrainingSource, settings: BstSettings, progress: Progress) -> Trained:
    """Trains on a data set; see `models.train_bst`."""
    from models.train_bst import train_bst

    return Trained(
        *train_bst(
            source.log,
            source.item_features(),
            source.profile_counts,
            source.cuts,
            settings.network,
            settings.samples,
            settings.training,
            progress,
            source.share,
        )
    )


def restore(record: ModelRecord, weights: Mapping[str, Tensor]) -> Bst:
    """The network of a checkpoint, its weights not yet loaded."""
    from models.bst_network import Bst
    from models.item_features import ItemFeatures

    features = ItemFeatures.from_weights(weights, record.code_counts)
    settings = BstNetworkSettings.model_validate(record.hyperparameters)
    return Bst(settings, features, tuple(record.profile_counts))


def serving_form(network: Bst, table_bytes: int) -> nn.Module:
    """The form with item tables where the history does not see the candidate, else the network itself."""
    from models.bst_serving import BstServing

    if not network.settings.mask_candidate:
        return network.eval()
    return BstServing(network.eval(), table_bytes).eval()


def ranks(network: Bst, log: InteractionLog, labelled: LabelledPoints) -> NDArray[np.float32]:
    """Logits float32[S, C] of labelled candidates."""
    from models.train_bst import score_points

    return score_points(network, log, labelled)


MODEL = ModelKind(
    settings=BstSettings,
    tensors=Tensors((*SHOPPER, *CANDIDATES), (TensorDeclaration("score", "float32", ("n",)),)),
    train=train,
    weighs_takes=True,
    shares_batches=True,
    restore=restore,
    serving_form=serving_form,
    ranks=ranks,
    warm_up={"B": 1, "n": 300},
    engine=True,
    description="Behavior Sequence Transformer: B shoppers and n candidates, each naming its shopper's row.",
)
