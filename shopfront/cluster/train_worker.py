"""What one worker of a training by Ray Train does; runs on a node, whose own code it is."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from foundation.storage.private_files import keep_files_private
from shopfront.cluster.training_files import Course, TrainingFiles

_TOLD_EVERY_S = 0.5


def train_share(order: dict[str, Any]) -> None:
    """Trains a share of every batch; the first worker writes what comes of it into the job's folder.

    order: `plugins`, `model`, `dataset`, `settings`, `checkpoints`, `rules` and `folder`, all as JSON values.

    A fault of data or settings is written there and ends the worker as if it were done, since another
    attempt would fail too; what else is raised is a bug, or the loss of another worker.
    """
    import ray
    import torch.distributed
    from ray import train

    from evaluation.errors import EvaluationError
    from models.checkpoint import CheckpointError
    from models.gradient_sums import GroupShare
    from models.registry import MODELS
    from models.training_loop import TrainingError
    from shopfront.training import train_model
    from snapshot.dataset import DatasetStore
    from snapshot.manifest import SnapshotError

    keep_files_private()
    if order["plugins"]:
        from shopfront.plugins import load, load_for_building

        load(order["plugins"])
        load_for_building(order["plugins"])
    files, context = TrainingFiles(Path(order["folder"])), train.get_context()
    if files.ended():
        # A worker was lost after the training was done.
        return
    node = ray.get_runtime_context().get_node_id()
    group = torch.distributed.group.WORLD
    assert group is not None, "Ray Train has made the group"
    share = GroupShare(
        group,
        context.get_world_rank(),
        context.get_world_size(),
        files.course,
        f"node {node[:8]} ({ray.util.get_node_ip_address()})",
        (SnapshotError, CheckpointError, EvaluationError, OSError),
    )
    told = 0.0

    def progress(step: int, steps: int, loss: float, metrics: dict[str, float]) -> None:
        nonlocal told
        if share.rank == 0 and (step == steps or time.monotonic() > told + _TOLD_EVERY_S):
            told = time.monotonic()
            files.tell(Course(step, steps, loss, metrics, share.workers))

    folder = Path(order["dataset"])
    try:
        trained = train_model(
            order["model"],
            DatasetStore(folder.parent).open(folder.name, verify=False),
            MODELS[order["model"]].settings.model_validate(order["settings"]),
            Path(order["checkpoints"]),
            progress,
            {},
            rules=order["rules"],
            share=share,
        )
    except (TrainingError, CheckpointError, SnapshotError, EvaluationError) as error:
        if share.rank == 0:
            files.fail(str(error))
        return
    if share.rank == 0:
        files.done(trained.checkpoint, trained.metrics)
