"""The whole offline evaluation of one data set and its two checkpoints."""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import torch

from evaluation.baselines import ItemCf
from evaluation.errors import EvaluationError
from evaluation.prerank_table import prerank_table
from evaluation.queries import TestShopper, test_shoppers
from evaluation.ranking_table import ranking_table
from evaluation.recall_table import Fuse, recall_table
from evaluation.report import EvaluationReport
from evaluation.settings import EvaluationSettings
from features.history import encode_history
from models.checkpoint import ModelRecord, load_bst, load_mind, load_two_tower
from models.interaction_log import InteractionLog
from models.mind import Mind
from recall.build import build_channels, open_channels
from recall.channel import BuildSource, Services
from recall.query import Query
from recall.settings import RecallSettings
from snapshot.dataset import Dataset

STEPS = ("reading the log", "item-CF", "ranking table", "building channels", "recall table", "prerank table")

StepProgress = Callable[[str, int, int], None]
"""Told (step, done, of) before each of `STEPS` and, with an empty step, at the end."""


def no_progress(step: str, done: int, of: int) -> None:
    """A `StepProgress` that shows nothing."""


def evaluate(
    dataset: Dataset,
    bst_checkpoint: Path,
    mind_checkpoint: Path,
    recall_settings: RecallSettings,
    fuse: Fuse,
    quotas: Mapping[str, float],
    settings: EvaluationSettings = EvaluationSettings(),
    progress: StepProgress = no_progress,
    prerank_checkpoint: Path | None = None,
) -> EvaluationReport:
    """Measures ranking, recall and, where its checkpoint is given, prerank.

    All on what happens from the data set's `cuts.test_from` on.

    Recall channels and baselines are built, in a temporary folder, from events before `test_from`.
    fuse: `router.fusion.quota.fuse`; quotas: channel → share of the fused candidates.

    Raises CheckpointError where a checkpoint cannot be read, EvaluationError where one belongs to another
    data set or the test range is empty.
    """
    bst, bst_record = load_bst(bst_checkpoint)
    mind, mind_record = load_mind(mind_checkpoint)
    prerank = load_two_tower(prerank_checkpoint) if prerank_checkpoint is not None else None
    cuts = dataset.manifest.cuts
    loaded = [(bst_checkpoint, bst_record), (mind_checkpoint, mind_record)]
    if prerank is not None and prerank_checkpoint is not None:
        loaded.append((prerank_checkpoint, prerank[1]))
    for folder, record in loaded:
        if record.dataset != dataset.manifest.id:
            raise EvaluationError(
                f"{folder} was trained on data set {record.dataset}, not {dataset.manifest.id}; train again"
            )
    progress(STEPS[0], 0, len(STEPS))
    events = dataset.events().select("user", "item", "event", "ts").collect()
    users = dataset.users()
    log = InteractionLog.from_frames(
        events, users, dataset.catalogue.size, np.asarray(dataset.catalogue.category)
    )
    progress(STEPS[1], 1, len(STEPS))
    item_cf = ItemCf.fit(log, cuts.test_from, settings.item_cf)
    progress(STEPS[2], 2, len(STEPS))
    ranking = ranking_table(log, cuts, bst, item_cf, settings)
    progress(STEPS[3], 3, len(STEPS))
    rng = np.random.default_rng(settings.seed)
    shoppers = test_shoppers(log, users, cuts.test_from, settings.max_users, recall_settings.triggers, rng)
    source = BuildSource(
        events=events.filter(pl.col("ts") < cuts.test_from),
        users=users,
        catalogue=dataset.catalogue,
        now=cuts.test_from - 1,
        vectors={"mind": mind.item_vectors().numpy()},
        seed=settings.seed,
    )
    with tempfile.TemporaryDirectory(prefix="evaluation-") as tables:
        build_channels(source, Path(tables), recall_settings)
        channels = open_channels(Path(tables), dataset.catalogue, Services(embed_with(mind)), recall_settings)
        progress(STEPS[4], 4, len(STEPS))
        recall = recall_table(
            shoppers,
            channels,
            quotas,
            fuse,
            item_cf,
            bst,
            ks=settings.ks,
            fused_total=settings.fused_total,
            rank_candidates=settings.rank_candidates,
        )
        progress(STEPS[5], 5, len(STEPS))
        narrowed: dict[str, dict[str, float]] = {}
        if prerank is not None:
            narrowed = prerank_table(
                drawn(shoppers, settings.prerank_shoppers, rng),
                channels,
                quotas,
                fuse,
                bst,
                prerank[0],
                candidates=settings.prerank_candidates,
                kept=settings.prerank_kept,
                wanted=settings.prerank_top,
            )
    progress("", len(STEPS), len(STEPS))
    return EvaluationReport(
        dataset=dataset.manifest.id,
        source=dataset.manifest.source,
        ranking=ranking,
        recall=recall,
        quotas=quotas,
        settings=settings.model_dump(mode="json"),
        models={record.model: _facts(record) for _, record in loaded},
        shoppers=len(shoppers),
        prerank=narrowed,
    )


def drawn(shoppers: Sequence[TestShopper], count: int, rng: np.random.Generator) -> list[TestShopper]:
    """At most `count` of the shoppers, drawn by `rng`, in their order."""
    if len(shoppers) <= count:
        return list(shoppers)
    return [shoppers[row] for row in np.sort(rng.choice(len(shoppers), count, replace=False))]


def embed_with(mind: Mind) -> Callable[[Query], Awaitable[np.ndarray]]:
    """The `embed_history` of `recall.channel.Services`, by the network in this process."""

    async def embed_history(query: Query) -> np.ndarray:
        history = encode_history(query.history_items, query.history_events, query.history_ts, query.now)
        with torch.inference_mode():
            interests: np.ndarray = mind(*(torch.from_numpy(column)[None] for column in history))[0].numpy()
        return interests

    return embed_history


def _facts(record: ModelRecord) -> dict[str, object]:
    return {"seed": record.seed, "steps": record.steps, "validation": record.metrics}
