"""Chooses the channels' shares of the fused candidates on the validation range, never on the test range."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from evaluation.errors import EvaluationError
from evaluation.loaded_models import item_vectors, load_models, services
from evaluation.queries import test_shoppers
from evaluation.recall_table import ask
from evaluation.scene_fusion import SceneFusion
from evaluation.share_search import ChosenShares, search_shares
from models.interaction_log import InteractionLog
from recall.build import build_channels, open_channels
from recall.build_events import build_events
from recall.channel import BuildSource
from recall.settings import RecallSettings
from snapshot.dataset import Dataset


def choose_shares(
    dataset: Dataset,
    checkpoints: Mapping[str, Path],
    settings: RecallSettings,
    fusion: SceneFusion,
    first: Sequence[str] = (),
    *,
    total: int,
    max_users: int,
    seed: int,
    progress: Callable[[str, float], None] = lambda what, share: None,
) -> ChosenShares:
    """The shares of the best fusion of what shoppers take in [valid_from, test_from).

    Channels, and tables of the fusion, are built from events before `valid_from`.

    Args:
        dataset: its validation range is measured.
        checkpoints: model → folder of its checkpoint, of every model that an enabled channel needs.
        settings: all channels that it enables take part.
        fusion: what the shares are chosen for.
        first: the channels that come first, in this order; others follow. An item that several recalled has
            the first one's score.
        total: fused items.
        max_users: shoppers, drawn by `seed`.
        seed: of the draw and of channels.
        progress: called with what is done and the share that is done.

    Raises:
        EvaluationError: the validation range is empty.
    """
    cuts = dataset.manifest.cuts
    events = build_events(dataset.events().filter(pl.col("ts") < cuts.test_from))
    users = dataset.users()
    log = InteractionLog.of_events(events, users, dataset)
    shoppers = test_shoppers(
        log, users, cuts.valid_from, max_users, settings.triggers, np.random.default_rng(seed)
    )
    if not shoppers:
        raise EvaluationError("no shopper takes anything in the validation range; move the data set's cuts")
    models = load_models(checkpoints, dataset.manifest.id)
    source = BuildSource(
        events=events.filter(pl.col("ts") < cuts.valid_from),
        users=users,
        catalogue=dataset.catalogue,
        tagged_titles=dataset.tagged_titles(),
        now=cuts.valid_from - 1,
        vectors=item_vectors(models),
        seed=seed,
    )
    with tempfile.TemporaryDirectory(prefix="shares-") as tables:
        build_channels(source, Path(tables), settings, lambda what, share: progress(what, share / 2))
        channels = open_channels(Path(tables), dataset.catalogue, services(models), settings)
        fusion_of = fusion.open(source, Path(tables) / "fusion")
        answers = asyncio.run(ask(shoppers, channels, total))
    names = [*(name for name in first if name in channels), *(name for name in channels if name not in first)]
    return search_shares(
        shoppers, answers, names, fusion_of, total, lambda share: progress("shares", 0.5 + share / 2)
    )
