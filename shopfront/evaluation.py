"""Evaluates a built workspace with the very channels, fusion and quotas it serves."""

from collections.abc import Callable
from pathlib import Path

import torch

from evaluation.evaluate import evaluate
from evaluation.report import EvaluationReport
from evaluation.scene_fusion import SceneFusion
from evaluation.served_scene import ServedScene
from evaluation.share_search import ChosenShares
from evaluation.shares import choose_shares
from ingest.shop_facts import facts_of
from models.contracts import network_of
from models.picture_encoder import NAME as ENCODER
from models.registry import MODELS
from recall.item_pictures import ItemPictures
from router.scenes.components import tables_of
from router.scenes.fit_shop import fit_scene
from router.service.validation import ITEM_SCENES
from shopfront import picture_step, ranker
from shopfront.build_record import BuildRecord
from shopfront.build_steps import Built
from shopfront.settings import Settings, main_scene, scene_configuration
from shopfront.workspace import Workspace
from snapshot.dataset import DatasetStore
from snapshot.shop_facts import ShopFacts


def evaluate_workspace(
    workspace: Workspace, built: Built, settings: Settings, progress: Callable[[str, int, int], None]
) -> EvaluationReport:
    """Measure the workspace's models and channels; quotas are those of the main scene."""
    ranking = limit_threads(settings)
    dataset = DatasetStore(workspace.datasets).open(built.dataset, verify=False)
    facts = facts_of(dataset)
    scenes = served_scenes(settings, facts)
    about_items = [scenes.pop(name) for name in ITEM_SCENES if name in scenes]
    name, scene = main_scene(settings)
    scene = fit_scene(name, scene, facts)
    return evaluate(
        dataset,
        checkpoints_of(workspace, built),
        settings.router.recall,
        SceneFusion.of(scene, settings.router.tables.sections()),
        scene.shares(),
        settings.evaluation,
        progress,
        ranking,
        settings.router.ranking.prerank_model,
        about_items,
        list(scenes.values()),
        name,
        ranker.fitted(workspace, ranker_of(workspace, settings)),
        pictures_of(workspace, built),
    )


def pictures_of(workspace: Workspace, built: Built) -> ItemPictures | None:
    """The pictures of the last build; None where the snapshot has none."""
    if ENCODER not in built.versions:
        return None
    return picture_step.opened(workspace, BuildRecord(workspace.build_record).latest(picture_step.STEP))


def ranker_of(workspace: Workspace, settings: Settings) -> str | None:
    """The fitted weights of the last build; None where no scene scores by them."""
    return BuildRecord(workspace.build_record).latest(ranker.STEP) if ranker.wanted(settings) else None


def served_scenes(settings: Settings, facts: ShopFacts | None) -> dict[str, ServedScene]:
    """Every configured scene by name, fitted to the shop, with the tables that it needs.

    Scenes that answer no shopper but a photo, such as photo_search, are not measured.

    Raises SettingsError where the scene configuration cannot be read.
    """
    tables = settings.router.tables.sections()
    return {
        name: ServedScene(name, fit_scene(name, scene, facts), tables_of([scene]), tables)
        for name, scene in scene_configuration(settings).by_name.items()
        if not scene.needs
    }


def limit_threads(settings: Settings) -> str:
    """Lets torch use as many threads as the ranking model's training; returns the model's name."""
    ranking = network_of(settings.router.ranking.model)
    torch.set_num_threads(getattr(settings.models, ranking).training.threads)
    return ranking


def checkpoints_of(workspace: Workspace, built: Built) -> dict[str, Path]:
    """The checkpoints of the models that the build made, by name."""
    record = BuildRecord(workspace.build_record)
    return {
        model: workspace.checkpoints / model / record.latest(f"checkpoint {model}")
        for model in built.versions
        if model in MODELS
    }


def choose_workspace_shares(
    workspace: Workspace, built: Built, settings: Settings, progress: Callable[[str, float], None]
) -> ChosenShares:
    """The best shares for the main scene's fusion on the workspace's validation range."""
    limit_threads(settings)
    dataset = DatasetStore(workspace.datasets).open(built.dataset, verify=False)
    name, configured = main_scene(settings)
    scene = fit_scene(name, configured, facts_of(dataset))
    return choose_shares(
        dataset,
        checkpoints_of(workspace, built),
        settings.router.recall,
        SceneFusion.of(scene, settings.router.tables.sections()),
        list(scene.shares()),
        total=settings.evaluation.fused_total,
        max_users=settings.evaluation.max_users,
        seed=settings.evaluation.seed,
        progress=progress,
    )
