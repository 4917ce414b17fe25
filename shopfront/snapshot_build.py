"""Builds a snapshot of a data set: the catalogue, the channels' tables and the learned tables."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.registry import MODELS
from recall.build import RECALL_FOLDER, ChannelRows, build_channels, enabled_channels, only, switched_off
from recall.channel import BuildSource
from recall.item_pictures import ItemPictures
from recall.settings import RecallSettings
from router.ranking.anchor_ranker.fitted import FittedAnchorRankers
from router.ranking.anchor_ranker.table import NAME as ANCHOR_RANKER
from router.ranking.objectives.fitted import FittedObjectives
from router.ranking.objectives.table import NAME as OBJECTIVES
from router.tables.kind import TableKind
from shopfront.channels_process import ChannelsProcess
from shopfront.cluster.chosen_work import work_of
from shopfront.cluster.ray_cluster import RayCluster
from shopfront.progress import Progress
from shopfront.settings import Settings
from shopfront.workspace import Workspace
from snapshot.dataset import EVENTS_NAME, Dataset
from snapshot.growing_columns import mapped
from snapshot.manifest import Manifest
from snapshot.store import SnapshotStore


def build_snapshot(
    workspace: Workspace,
    settings: Settings,
    dataset: Dataset,
    vectors: Mapping[str, Path],
    versions: dict[str, int],
    kinds: dict[str, TableKind],
    fitted: Mapping[str, Path],
    progress: Progress,
    pictures: ItemPictures | None = None,
    no_pictures: str = "",
    thumbnails: Path | None = None,
    data: Path | None = None,
    cluster: RayCluster | None = None,
    channels: ChannelsProcess | None = None,
) -> str:
    """Builds and seals a snapshot, without publishing it; returns its id.

    Args:
        workspace: where snapshots lie.
        settings: of recall, of tables, and the seed.
        dataset: what is served.
        vectors: model → folder of the checkpoint whose item vectors channels and tables are built from.
        versions: model → version on Triton that belongs to the snapshot.
        kinds: learned tables to build, by name.
        fitted: learned table → folder of what was fitted for it before.
        progress: shows the two steps.
        pictures: of the items; None where they have none.
        no_pictures: why not, for people.
        thumbnails: folder of small pictures for people to look at; None where there are none.
        data: the shop's folder, in which `outfits` may lie; None where there is none.
        cluster: where tables are computed that can be computed in parts; None: in this process.
        channels: builds those that need no model, of the same data set and settings; None where nothing does.

    Raises:
        JobError: a part cannot be computed; nothing is kept but the parts that can.
        PartBuildError: a channel or table cannot be built; nothing is kept.
    """
    from ingest.shop_facts import facts_of
    from router.tables.files import TABLES_FOLDER, build_tables
    from shopfront.channel_source import channel_source
    from snapshot.catalogue_writer import add_column, link_catalogue
    from snapshot.thumbnails import copy_thumbnails

    store = SnapshotStore(workspace.snapshots)
    staged = store.stage()
    try:
        with progress.step("recall tables") as step:
            link_catalogue(dataset.path, staged)
            source, unknown = channel_source(dataset, data, settings.seed, no_pictures)
            if unknown:
                progress.refused_pictures({"rows of outfits whose items are unknown": unknown})
            source = replace(
                source,
                vectors=_item_vectors(vectors),
                fitted=fitted,
                pictures=pictures,
                work=work_of(cluster, dataset.path / EVENTS_NAME, workspace.jobs, step.counted),
            )
            if pictures is not None:
                groups = pictures.groups
                add_column(
                    staged, "picture_group", groups, [str(code + 1) for code in range(int(groups.max()))]
                )
            rows = _channels(source, staged / RECALL_FOLDER, settings.router.recall, channels, step.stage)
        if thumbnails is not None:
            copy_thumbnails(thumbnails, staged)
        off = switched_off(staged / RECALL_FOLDER, settings.router.recall)
        for channel, reason in off.items():
            progress.channel_switched_off(channel, reason)
        if kinds:
            with progress.step("learned tables") as step:
                learned = build_tables(
                    kinds, source, staged / TABLES_FOLDER, settings.router.tables.sections(), step.stage
                )
            rows |= {f"{TABLES_FOLDER}/{table}": counts for table, counts in learned.items()}
        objectives = _objectives_off(staged / TABLES_FOLDER, kinds, progress)
        objectives += _anchor_rankers_off(staged / TABLES_FOLDER, kinds, progress)
        return store.seal(
            staged,
            Manifest(
                kind="snapshot",
                source=dataset.manifest.source,
                rows={f"{part}.{table}": n for part, tables in rows.items() for table, n in tables.items()},
                time_range=dataset.manifest.time_range,
                cuts=dataset.manifest.cuts,
                switched_off=[
                    *dataset.manifest.switched_off,
                    *(f"recall.{channel}" for channel in off),
                    *objectives,
                ],
                shop=facts_of(dataset),
                dataset=dataset.manifest.id,
                tombstones=dataset.manifest.tombstones,
                models=versions,
            ),
        )
    finally:
        store.discard(staged)


def _channels(
    source: BuildSource,
    folder: Path,
    settings: RecallSettings,
    beside: ChannelsProcess | None,
    progress: Callable[[str, float], None],
) -> ChannelRows:
    """Builds the channels that nothing builds beside, and takes the others."""
    if beside is None:
        return build_channels(source, folder, settings, progress)
    taken = beside.take(folder)
    names = enabled_channels(settings)
    rows = taken | build_channels(
        source, folder, only(settings, [name for name in names if name not in taken]), progress
    )
    return {name: rows[name] for name in names}


def _objectives_off(tables: Path, kinds: Mapping[str, TableKind], progress: Progress) -> list[str]:
    """Says which objectives of scenes could not be fitted, and returns their names for the manifest."""
    if OBJECTIVES not in kinds:
        return []
    fitted = FittedObjectives.read(tables / OBJECTIVES)
    for scene, each in fitted.scenes.items():
        if not each.click.off and each.click.per == "take":
            progress.objective_per_take(scene)
    off = list(fitted.switched_off())
    for scene, objective, reason in off:
        progress.objective_switched_off(scene, objective, reason)
    return [f"objectives.{scene}.{objective}" for scene, objective, _ in off]


def _anchor_rankers_off(tables: Path, kinds: Mapping[str, TableKind], progress: Progress) -> list[str]:
    """Says which pages about an item could not be fitted, and returns their names for the manifest."""
    if ANCHOR_RANKER not in kinds:
        return []
    off = FittedAnchorRankers.read(tables / ANCHOR_RANKER).off
    for scene, reason in off.items():
        progress.objective_switched_off(scene, ANCHOR_RANKER, reason)
    return [f"{ANCHOR_RANKER}.{scene}" for scene in off]


def _item_vectors(checkpoints: Mapping[str, Path]) -> dict[str, NDArray[np.float32]]:
    from models.checkpoint import load_checkpoint

    vectors = {}
    for model, folder in checkpoints.items():
        network, _ = load_checkpoint(folder, model)
        makes = MODELS[model].makes
        if makes is not None:
            vectors[model] = mapped(makes(network))
    return vectors
