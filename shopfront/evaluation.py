"""Evaluates a built workspace with the very channels, fusion and quotas it serves."""

from collections.abc import Callable

import torch

from evaluation.evaluate import evaluate
from evaluation.report import EvaluationReport
from evaluation.shares import ChosenShares, choose_shares
from router.fusion.quota import fuse
from shopfront.build_record import BuildRecord
from shopfront.build_steps import Built
from shopfront.settings import Settings, main_scene
from shopfront.workspace import Workspace
from snapshot.dataset import DatasetStore


def evaluate_workspace(
    workspace: Workspace, built: Built, settings: Settings, progress: Callable[[str, int, int], None]
) -> EvaluationReport:
    """Measure the workspace's models and channels; quotas are those of the main scene."""
    torch.set_num_threads(settings.models.bst.training.threads)
    record = BuildRecord(workspace.build_record)
    _, scene = main_scene(settings)
    return evaluate(
        DatasetStore(workspace.datasets).open(built.dataset, verify=False),
        workspace.checkpoints / "bst" / record.latest("checkpoint bst"),
        workspace.checkpoints / "mind" / record.latest("checkpoint mind"),
        settings.router.recall,
        fuse,
        {name: channel.share for name, channel in scene.channels.items()},
        settings.evaluation,
        progress,
        workspace.checkpoints / "prerank" / record.latest("checkpoint prerank")
        if "prerank" in built.versions
        else None,
    )


def choose_workspace_shares(
    workspace: Workspace, built: Built, settings: Settings, progress: Callable[[str, float], None]
) -> ChosenShares:
    """The shares that recall most on the workspace's validation range, at the evaluation's budget."""
    torch.set_num_threads(settings.models.bst.training.threads)
    record = BuildRecord(workspace.build_record)
    return choose_shares(
        DatasetStore(workspace.datasets).open(built.dataset, verify=False),
        workspace.checkpoints / "mind" / record.latest("checkpoint mind"),
        settings.router.recall,
        fuse,
        total=settings.evaluation.fused_total,
        max_users=settings.evaluation.max_users,
        seed=settings.evaluation.seed,
        progress=progress,
    )
