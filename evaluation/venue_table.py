"""Venues: how many of the groups that shoppers take from next a scene shows among its first four."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from evaluation.queries import TestShopper
from evaluation.served_scene import ServedScene, served_items
from foundation.statistics.bootstrap import grouped_interval
from foundation.statistics.ranking_metrics import hit_rate, ndcg, recall
from pipeline.plan import Pipeline
from recall.channel import BuildSource
from recall.query import Query
from router.page.arrangement import structure_of
from router.rerank.venues import VenuesSettings

SHOWN = 4
POPULARITY_DAYS = 30
COLUMNS = (f"recall@{SHOWN}", "low", "high", f"hr@{SHOWN}", f"ndcg@{SHOWN}")
_DAY_S = 86_400

Venues = NDArray[np.int32]


def shows_venues(scene: ServedScene) -> bool:
    """Whether the scene answers with venues."""
    return any(isinstance(settings, VenuesSettings) for settings in scene.settings.rerank.values())


def venue_table(
    shoppers: Sequence[TestShopper], scenes: Mapping[str, Pipeline[Query]], source: BuildSource
) -> dict[str, dict[str, float]]:
    """Row → column → value: each scene of venues, popularity, and what the shopper takes from most.

    What is to be shown are the venues of the items that a shopper takes on the first day after the cut. The
    columns: `recall`, the part of them among the first `SHOWN`, with its 95 % bootstrap interval over
    shoppers; `hr`, whether any is; `ndcg`. Shoppers who take nothing of a venue are left out.

    Args:
        shoppers: at the cut.
        scenes: opened, by name; those without the reranker `venues` are left out.
        source: what happened before the cut.
    """
    rows = {}
    for name, pipeline in scenes.items():
        stage = structure_of(pipeline.rerankers)
        if stage is None:
            continue
        wanted = [_distinct(stage.column[shopper.next_targets]) for shopper in shoppers]
        asked = [(shopper, venues) for shopper, venues in zip(shoppers, wanted, strict=True) if venues.size]
        if not asked:
            continue
        targets = [venues for _, venues in asked]
        few = [shopper for shopper, _ in asked]
        pages = asyncio.run(_pages(pipeline, few, SHOWN * stage.settings.items))
        best = _best_known(stage.column, source)
        own = [_most_taken(stage.column, shopper, best) for shopper in few]
        rows[name] = _row([_distinct(stage.column[page])[:SHOWN] for page in pages], targets)
        rows[f"{name}: popularity"] = _row([best[:SHOWN]] * len(few), targets)
        rows[f"{name}: most taken by the shopper"] = _row(own, targets)
    return rows


async def _pages(
    pipeline: Pipeline[Query], shoppers: Sequence[TestShopper], size: int
) -> list[NDArray[np.int32]]:
    return [await served_items(pipeline, shopper.query, size) for shopper in shoppers]


def _distinct(venues: Venues) -> Venues:
    """The venues above 0, each once, in the order of their first."""
    found, first = np.unique(venues, return_index=True)
    ordered = found[np.argsort(first)]
    return ordered[ordered > 0]


def _best_known(column: Venues, source: BuildSource) -> Venues:
    """All venues, those that most shoppers took from lately first."""
    lately = source.events.filter(pl.col("ts") > source.now - POPULARITY_DAYS * _DAY_S)
    users, items = lately["user"].to_numpy(), lately["item"].to_numpy()
    pairs = np.unique(np.stack((column[items], users)), axis=1)
    counts = np.bincount(pairs[0], minlength=int(column.max(initial=0)) + 1)
    return _distinct(np.argsort(-counts, kind="stable").astype(np.int32))


def _most_taken(column: Venues, shopper: TestShopper, best: Venues) -> Venues:
    """The venues of the shopper's history by how often they are in it, then the best-known ones."""
    counts = np.bincount(column[shopper.query.history_items], minlength=int(column.max(initial=0)) + 1)
    counts[0] = 0
    own = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)].astype(np.int32)
    return _distinct(np.concatenate((own, best)))[:SHOWN]


def _row(shown: Sequence[Venues], targets: Sequence[Venues]) -> dict[str, float]:
    hits = np.zeros((len(shown), SHOWN), bool)
    for row, (venues, wanted) in enumerate(zip(shown, targets, strict=True)):
        hits[row, : venues.size] = np.isin(venues, wanted)
    counts = np.array([wanted.size for wanted in targets])
    recalls = recall(hits, counts, SHOWN)
    low, high = grouped_interval(recalls, np.arange(len(recalls)), np.random.default_rng(0))
    values = (recalls.mean(), low, high, hit_rate(hits, SHOWN).mean(), ndcg(hits, counts, SHOWN).mean())
    return dict(zip(COLUMNS, map(float, values), strict=True))
