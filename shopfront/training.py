"""Trains one network on a data set and keeps its checkpoint."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch

from features.profile import PROFILE_FIELDS
from models.checkpoint import Network, load_bst, record_of, save_checkpoint
from models.interaction_log import InteractionLog
from models.item_features import ItemFeatures
from models.train_bst import train_bst
from models.train_mind import train_mind
from models.train_two_tower import train_two_tower
from models.training_loop import Progress
from shopfront.settings import BstModel, MindModel, ModelsSettings, PrerankModel
from snapshot.dataset import Dataset


@dataclass(frozen=True)
class Trained:
    """Name of the checkpoint's folder, and the kept weights' validation metrics."""

    checkpoint: str
    metrics: dict[str, float]


def train_model(
    model: str,
    dataset: Dataset,
    settings: ModelsSettings,
    checkpoints: Path,
    progress: Progress,
    teacher: str = "",
) -> Trained:
    """Train "bst", "mind" or "prerank" and write `checkpoints/<model>/<id>/`.

    teacher: the BST checkpoint whose order "prerank" learns. Raises TrainingError where the data set holds
    too little or the loss is not finite, CheckpointError where the teacher cannot be read.
    """
    chosen: BstModel | MindModel | PrerankModel = getattr(settings, model)
    torch.set_num_threads(chosen.training.threads)
    log = InteractionLog.from_dataset(dataset)
    features = ItemFeatures.from_catalogue(dataset.catalogue)
    cuts = dataset.manifest.cuts
    vocabulary = dataset.catalogue.profile_vocab
    profile_counts = tuple(len(vocabulary.get(field, ())) for field in PROFILE_FIELDS)
    budget = (chosen.samples, chosen.training, progress)
    network: Network
    match chosen:
        case BstModel():
            network, result = train_bst(log, features, profile_counts, cuts, chosen.network, *budget)
        case MindModel():
            network, result = train_mind(log, features, cuts, chosen.network, *budget)
        case PrerankModel():
            bst, _ = load_bst(checkpoints / "bst" / teacher)
            network, result = train_two_tower(
                bst, log, features, profile_counts, cuts, chosen.network, *budget
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
            **({"teacher": teacher} if teacher else {}),
        },
    )
    save_checkpoint(network, record, checkpoints / model / name)
    return Trained(name, result.metrics)
