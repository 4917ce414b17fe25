"""Chooses the channels' shares of the fused candidates on the validation range, never on the test range."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from evaluation.errors import EvaluationError
from evaluation.loaded_models import item_vectors, load_models, services
from evaluation.queries import TestShopper, test_shoppers
from evaluation.recall_table import Fuse, ask
from foundation.statistics.ranking_metrics import recall
from models.interaction_log import InteractionLog
from recall.build import build_channels, open_channels
from recall.build_events import build_events
from recall.channel import BuildSource, Recalled
from recall.settings import RecallSettings
from snapshot.dataset import Dataset

STEP = 0.05


@dataclass(frozen=True)
class ChosenShares:
    """shares: channel → share, summing to 1; recall: of their fusion; alone: channel → its own recall.

    All at the same budget of items, on the validation range.
    """

    shares: Mapping[str, float]
    recall: float
    alone: Mapping[str, float]


def choose_shares(
    dataset: Dataset,
    checkpoints: Mapping[str, Path],
    settings: RecallSettings,
    fuse: Fuse,
    *,
    total: int,
    max_users: int,
    seed: int,
    progress: Callable[[str, float], None] = lambda what, share: None,
) -> ChosenShares:
    """The shares whose fusion recalls most of what shoppers take in [valid_from, test_from).

    Channels are built from events before `valid_from`. Shares move by steps of 0.05 from one channel to
    another while that helps (steepest ascent from equal shares; a local optimum).

    checkpoints: model → folder of its checkpoint, of every model that an enabled channel needs; total: fused
    items; max_users: shoppers drawn by `seed`. Raises EvaluationError where the validation range is
    empty.
    """
    cuts = dataset.manifest.cuts
    events = build_events(dataset.events().filter(pl.col("ts") < cuts.test_from))
    users = dataset.users()
    log = InteractionLog.from_frames(
        events, users, dataset.catalogue.size, np.asarray(dataset.catalogue.category)
    )
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
        now=cuts.valid_from - 1,
        vectors=item_vectors(models),
        seed=seed,
    )
    with tempfile.TemporaryDirectory(prefix="shares-") as tables:
        build_channels(source, Path(tables), settings, lambda what, share: progress(what, share / 2))
        channels = open_channels(Path(tables), dataset.catalogue, services(models), settings)
        answers = asyncio.run(ask(shoppers, channels, total))
    return ascend(
        shoppers, answers, list(channels), fuse, total, lambda share: progress("shares", 0.5 + share / 2)
    )


def ascend(
    shoppers: Sequence[TestShopper],
    answers: Sequence[Mapping[str, Recalled]],
    names: Sequence[str],
    fuse: Fuse,
    total: int,
    progress: Callable[[float], None] = lambda share: None,
) -> ChosenShares:
    """Steepest ascent over shares, given every channel's answer to every shopper."""
    columns = [[answer[name] for name in names] for answer in answers]

    def recall_of(units: tuple[int, ...]) -> float:
        shares = np.array(units, dtype=np.float64)
        return _recall(shoppers, [fuse(answer, shares, total).items for answer in columns], total)

    whole = round(1 / STEP)
    units = [whole // len(names)] * len(names)
    units[0] += whole - sum(units)
    best, best_recall = tuple(units), recall_of(tuple(units))
    rounds = 0
    while True:
        neighbours = {
            tuple(unit + (i == to) - (i == out) for i, unit in enumerate(best))
            for out in range(len(names))
            for to in range(len(names))
            if out != to and best[out] > 0
        }
        measured = {neighbour: recall_of(neighbour) for neighbour in sorted(neighbours)}
        steepest = max(measured, key=lambda neighbour: measured[neighbour])
        rounds += 1
        progress(1 - 1 / (1 + rounds))
        if measured[steepest] <= best_recall:
            break
        best, best_recall = steepest, measured[steepest]
    alone = {
        name: _recall(shoppers, [answer[name].items[:total] for answer in answers], total) for name in names
    }
    return ChosenShares(
        {name: unit * STEP for name, unit in zip(names, best, strict=True)}, best_recall, alone
    )


def _recall(shoppers: Sequence[TestShopper], ranked: Sequence[np.ndarray], total: int) -> float:
    targets = np.array([len(shopper.targets) for shopper in shoppers])
    hits = np.zeros((len(shoppers), total), dtype=bool)
    for row, (shopper, items) in enumerate(zip(shoppers, ranked, strict=True)):
        hits[row, : len(items)] = np.isin(items, shopper.targets)
    return float(recall(hits, targets, total).mean())
