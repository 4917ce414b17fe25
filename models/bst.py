"""The model `bst`: a Behavior Sequence Transformer that ranks candidates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from features.history import HISTORY_LENGTH
from models.kind import ModelKind, Trained, TrainingSource
from models.settings import ModelKindSettings, NetworkSettings
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


class BstNetworkSettings(NetworkSettings):
    """Shape of the Behavior Sequence Transformer (Chen et al. 2019, arXiv:1905.06874)."""

    mask_candidate: bool = Field(
        True,
        description="True: the history does not attend to the candidate, so its part is computed once per "
        "shopper. False: the paper's form, whose history must be computed again for every candidate.",
    )
    history_length: int = Field(
        HISTORY_LENGTH,
        ge=1,
        le=HISTORY_LENGTH,
        description="Newest behaviours the network reads of those it is sent; it is sent 50 in any case.",
    )
    dimension: int = Field(32, ge=4, description="Width of a token in the transformer, floats.")
    heads: int = Field(4, ge=1, description="Attention heads; divides `dimension`.")
    feed_forward: int = Field(128, ge=1, description="Width of the feed-forward layer, floats.")
    blocks: int = Field(1, ge=1, description="Transformer blocks.")
    candidate_blocks: int = Field(
        0,
        ge=0,
        description="Further blocks of the candidate alone, which attends to the history's outputs in each; "
        "only with `mask_candidate`.",
    )
    hidden: tuple[int, ...] = Field(
        (256, 64), min_length=1, description="Widths of the MLP's layers, floats."
    )
    side_dimension: int = Field(8, ge=1, description="Width of the embedding of a side feature, floats.")
    dropout: float = Field(0.1, ge=0, lt=1, description="Share of activations dropped in training.")
    min_item_users: int = Field(
        5,
        ge=0,
        description="Items taken by fewer shoppers before the validation cut have no embedding of their own.",
    )
    id_dropout: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="Share of item ids whose own embedding is replaced by the unknown item's in training, "
        "so that cold items are scored by their category, brand and shop.",
    )

    @model_validator(mode="after")
    def _heads_divide_dimension(self) -> BstNetworkSettings:
        if self.dimension % self.heads:
            raise ValueError(f"heads ({self.heads}) must divide dimension ({self.dimension})")
        return self

    @model_validator(mode="after")
    def _candidate_alone(self) -> BstNetworkSettings:
        if self.candidate_blocks and not self.mask_candidate:
            raise ValueError(
                f"candidate_blocks ({self.candidate_blocks}) belong to the masked form; set them to 0 or "
                "mask_candidate to true"
            )
        return self


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
    restore=restore,
    serving_form=serving_form,
    ranks=ranks,
    warm_up={"B": 1, "n": 300},
    engine=True,
    description="Behavior Sequence Transformer: B shoppers and n candidates, each naming its shopper's row.",
)
