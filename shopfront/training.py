"""Trains one network on a data set and keeps its checkpoint."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl
import torch

from models.batch_share import ALONE, BatchShare
from models.checkpoint import TrainedOn, load_checkpoint, record_of, save_checkpoint
from models.interaction_log import InteractionLog
from models.kind import TrainingSource
from models.rankers.examples import LearningRanges
from models.registry import MODELS
from models.settings import ModelKindSettings, SampleSettings, TrainingSettings
from models.training_loop import Progress
from snapshot.dataset import EVENTS_NAME, Dataset
from snapshot.manifest import SnapshotError
from snapshot.partition_work import IN_THIS_PROCESS, PartitionWork


@dataclass(frozen=True)
class Trained:
    """Name of the checkpoint's folder, and the kept weights' validation metrics."""

    checkpoint: str
    metrics: dict[str, float]


def train_model(
    model: str,
    dataset: Dataset,
    settings: ModelKindSettings,
    checkpoints: Path,
    progress: Progress,
    teachers: Mapping[str, str],
    work: PartitionWork = IN_THIS_PROCESS,
    rules: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    share: BatchShare = ALONE,
) -> Trained:
    """Trains a registered model and writes `checkpoints/<model>/<id>/`.

    Args:
        model: its name in the registry.
        dataset: what it learns from.
        settings: its section of the settings.
        checkpoints: folder of all models' checkpoints.
        progress: called after every step.
        teachers: model → checkpoint, of each of its teachers.
        work: where samples are cut.
        rules: name of a sample rule that acts on models → its settings, as JSON; ignored by models that do
            not weigh takes.
        share: what this process computes of every batch, of a kind that shares them; the first of several
            workers writes the checkpoint.

    Returns:
        The checkpoint's name, "" where another worker writes it, and metrics.

    Raises:
        TrainingError: the data set holds too little, or the loss is not finite.
        CheckpointError: a teacher cannot be read.
        EvaluationError: a file that a sample rule names cannot be read.
        SnapshotError: the data set's events cannot be read.
    """
    torch.set_num_threads(settings.training.threads)
    acting = rules if MODELS[model].weighs_takes else {}
    weights, log = share.together(lambda: _read(dataset, work, acting))
    networks = {
        name: load_checkpoint(checkpoints / name / checkpoint, name)[0]
        for name, checkpoint in teachers.items()
    }

    def ranges(samples: SampleSettings, training: TrainingSettings) -> LearningRanges:
        from evaluation.rankers.log_examples import learning_ranges

        return learning_ranges(dataset, samples, training, weights)

    trained = MODELS[model].train(TrainingSource(dataset, log, networks, ranges, share), settings, progress)
    if share.rank:
        return Trained("", trained.result.metrics)
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{dataset.manifest.id[-8:]}"
    record = record_of(
        model,
        settings.network,
        TrainedOn.of(dataset),
        seed=settings.training.seed,
        steps=trained.result.steps,
        metrics=trained.result.metrics,
        training={
            **settings.model_dump(mode="json", exclude={"network"}),
            **({"teacher": ", ".join(teachers.values())} if teachers else {}),
            **({"sample_rules": dict(acting)} if acting else {}),
        },
        facts=trained.facts,
    )
    save_checkpoint(trained.network, record, checkpoints / model / name)
    return Trained(name, trained.result.metrics)


def _read(
    dataset: Dataset, work: PartitionWork, rules: Mapping[str, Mapping[str, Any]]
) -> tuple[np.ndarray | None, InteractionLog]:
    try:
        weights = _weights(dataset, rules)
        return weights, InteractionLog.from_dataset(dataset, work, weights)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        # Polars panics at some torn pages; its message is of no use to people.
        raise SnapshotError(
            dataset.path, EVENTS_NAME, "cannot be read, it is damaged", "ingest the shop's files again"
        ) from error


def _weights(dataset: Dataset, rules: Mapping[str, Mapping[str, Any]]) -> np.ndarray | None:
    """float32[e], what the rules make of each event of the data set; None without rules."""
    if not rules:
        return None
    from evaluation.sample_rules.registry import SAMPLE_RULES
    from evaluation.sample_rules.training import training_weights

    return training_weights(
        dataset,
        {name: SAMPLE_RULES[name].settings.model_validate(section) for name, section in rules.items()},
    )
