"""Trains one network on a data set and keeps its checkpoint."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch

from features.profile import PROFILE_FIELDS
from models.bst import Bst
from models.checkpoint import record_of, save_checkpoint
from models.interaction_log import InteractionLog
from models.item_features import ItemFeatures
from models.mind import Mind
from models.train_bst import train_bst
from models.train_mind import train_mind
from models.training_loop import Progress
from shopfront.settings import BstModel, MindModel, ModelsSettings
from snapshot.dataset import Dataset


@dataclass(frozen=True)
class Trained:
    """Name of the checkpoint's folder, and the kept weights' validation metrics."""

    checkpoint: str
    metrics: dict[str, float]


def train_model(
    model: str, dataset: Dataset, settings: ModelsSettings, checkpoints: Path, progress: Progress
) -> Trained:
    """Train "bst" or "mind" and write `checkpoints/<model>/<id>/`.

    Raises TrainingError where the data set holds too little or the loss is not finite.
    """
    torch.set_num_threads((settings.bst if model == "bst" else settings.mind).training.threads)
    log = InteractionLog.from_dataset(dataset)
    features = ItemFeatures.from_catalogue(dataset.catalogue)
    cuts = dataset.manifest.cuts
    chosen: BstModel | MindModel
    network: Bst | Mind
    if model == "bst":
        chosen = settings.bst
        vocabulary = dataset.catalogue.profile_vocab
        network, result = train_bst(
            log,
            features,
            tuple(len(vocabulary.get(field, ())) for field in PROFILE_FIELDS),
            cuts,
            settings.bst.network,
            settings.bst.samples,
            settings.bst.training,
            progress,
        )
    else:
        chosen = settings.mind
        network, result = train_mind(
            log,
            features,
            cuts,
            settings.mind.network,
            settings.mind.samples,
            settings.mind.training,
            progress,
        )
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{dataset.manifest.id[-8:]}"
    record = record_of(
        network,
        dataset=dataset.manifest.id,
        seed=chosen.training.seed,
        steps=result.steps,
        metrics=result.metrics,
        training={
            "samples": chosen.samples.model_dump(mode="json"),
            "training": chosen.training.model_dump(mode="json"),
        },
    )
    save_checkpoint(network, record, checkpoints / model / name)
    return Trained(name, result.metrics)
