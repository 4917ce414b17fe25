"""The model `prerank`: two towers that narrow thousands of candidates to those that BST ranks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from models.kind import ModelKind, Trained, TrainingSource
from models.prerank_settings import TwoTowerNetworkSettings
from models.settings import (
    ModelKindSettings,
    NegativeSettings,
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
    weighs_takes=True,
    restore=restore,
    serving_form=serving_form,
    teachers=("bst",),
    warm_up={"B": 1, "n": 3000},
    description="Prerank, two towers: B shoppers and n candidates, each naming its shopper's row.",
)
