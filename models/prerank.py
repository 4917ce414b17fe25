"""The model `prerank`: two towers that narrow thousands of candidates to those that BST ranks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import Field

from models.kind import ModelKind, Trained, TrainingSource
from models.settings import (
    ModelKindSettings,
    NegativeSettings,
    NetworkSettings,
    SampleSettings,
    TrainingSettings,
)
from models.shopper_inputs import CANDIDATES, SHOPPER
from triton_repo.tensors import Tensor as TensorDeclaration
from triton_repo.tensors import Tensors

if TYPE_CHECKING:
    from torch import Tensor, nn

    from models.checkpoint import ModelRecord
    from models.training_loop import Progress
    from models.two_tower import TwoTower


class TwoTowerNetworkSettings(NetworkSettings):
    """Shape of the two-tower model of prerank, and how it learns from BST."""

    dimension: int = Field(48, ge=4, description="Width of shopper and item vectors, floats.")
    token_dimension: int = Field(32, ge=4, description="Width of a behaviour in the history, floats.")
    side_dimension: int = Field(8, ge=1, description="Width of the embedding of a side feature, floats.")
    interests: int = Field(4, ge=1, description="Attention heads that pool the history.")
    hidden: int = Field(128, ge=1, description="Width of the hidden layer of either tower, floats.")
    dropout: float = Field(0.05, ge=0, lt=1, description="Share of activations dropped in training.")
    min_item_users: int = Field(
        5,
        ge=0,
        description="Items taken by fewer shoppers before the validation cut have no embedding of their own.",
    )
    id_dropout: float = Field(
        0.1, ge=0, lt=1, description="Share of item ids replaced by the unknown item's in training."
    )
    temperature: float = Field(
        2.0,
        gt=0,
        description="BST's logits are divided by this before the softmax that is learned; larger minds the "
        "order further down the list.",
    )
    label_weight: float = Field(
        0.1, ge=0, le=1, description="Weight of what shoppers took; the rest is the weight of BST's order."
    )


class PrerankSettings(ModelKindSettings):
    """The two-tower model that narrows candidates before BST; trained only where a scene has `prerank`."""

    network: TwoTowerNetworkSettings = TwoTowerNetworkSettings()
    samples: SampleSettings = SampleSettings(
        positives=4,
        negatives=124,
        negative_sources=NegativeSettings(
            popular_share=0.3, uniform_share=0.25, history_share=0.2, category_share=0.25
        ),
    )
    training: TrainingSettings = TrainingSettings(
        batch_size=64,
        max_steps=600,
        evaluate_every=200,
        validation_points=150,
        learning_rate=4e-3,
        embedding_learning_rate=8e-3,
    )


def train(source: TrainingSource, settings: PrerankSettings, progress: Progress) -> Trained:
    """Learns the order of the teacher `bst`; see `models.train_two_tower`."""
    from models.bst_network import Bst
    from models.train_two_tower import train_two_tower

    teacher = source.teachers["bst"]
    assert isinstance(teacher, Bst)
    return Trained(
        *train_two_tower(
            teacher,
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


def restore(record: ModelRecord, weights: Mapping[str, Tensor]) -> TwoTower:
    """The network of a checkpoint, its weights not yet loaded."""
    from models.item_features import ItemFeatures
    from models.two_tower import TwoTower

    features = ItemFeatures.from_weights(weights, record.code_counts)
    settings = TwoTowerNetworkSettings.model_validate(record.hyperparameters)
    return TwoTower(settings, features, tuple(record.profile_counts))


def serving_form(network: TwoTower, table_bytes: int) -> nn.Module:
    """The form whose item tower is a table; the table is small, so `table_bytes` does not bound it."""
    from models.two_tower_serving import TwoTowerServing

    del table_bytes
    return TwoTowerServing(network).eval()


MODEL = ModelKind(
    settings=PrerankSettings,
    tensors=Tensors((*SHOPPER, *CANDIDATES), (TensorDeclaration("score", "float32", ("n",)),)),
    train=train,
    restore=restore,
    serving_form=serving_form,
    teachers=("bst",),
    warm_up={"B": 1, "n": 3000},
    description="Prerank, two towers: B shoppers and n candidates, each naming its shopper's row.",
)
