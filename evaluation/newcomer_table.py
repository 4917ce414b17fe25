"""Pages of newcomers: what a scene shows to shoppers of whom nothing, or little, is known."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from evaluation.newcomers import within_first_visits
from evaluation.page_metrics import hits_of
from evaluation.peers.past_events import PastEvents, Visits
from evaluation.queries import TestShopper, distinct_askers, shoppers_at
from evaluation.served_scene import served_items
from evaluation.settings import EvaluationSettings
from foundation.statistics.bootstrap import grouped_interval
from foundation.statistics.ranking_metrics import hit_rate, ndcg
from models.interaction_log import InteractionLog
from pipeline.plan import Pipeline
from recall.channel import BuildSource, Channel
from recall.query import Query
from recall.triggers import TriggerSettings
from snapshot.catalogue import Catalogue

PAGE = 10
KNOWN = (0, 1, 4, 16, 64)
"""Behaviours that are known of a newcomer, the newest."""
POPULARITY = "popularity"
FIRST_VISITS = ", first visits"
LEAST_FIRST_VISITS = 30
"""With fewer shoppers asked in the midst of their first visit there are no rows of them."""
COLUMNS = ("ndcg@10", "low", "high", "over_popularity", "over_low", "over_high", "hr@10", "categories")


def newcomer_table(
    shoppers: Sequence[TestShopper],
    scenes: Mapping[str, Pipeline[Query]],
    log: InteractionLog,
    source: BuildSource,
    triggers: TriggerSettings,
    settings: EvaluationSettings,
    channels: Mapping[str, Channel] = MappingProxyType({}),
) -> dict[str, dict[str, float]]:
    """Row → column → value: popularity, then each scene with so many behaviours known; then first visits.

    The same shoppers are in every row, and so is what they take in the test range; many logs have few real
    newcomers. Where `LEAST_FIRST_VISITS` of the shoppers come first in the test range and are asked in the
    midst of what they do then, as `within_first_visits` draws it, these have rows too: of popularity, each
    scene and the head of each channel's answer. The columns:
        ndcg@10: with its 95 % bootstrap interval over shoppers (low, high).
        over_popularity: ndcg@10 less that of popularity's page, with its interval (over_low, over_high).
        hr@10: part of the shoppers who take something of the page.
        categories: different categories on a page.

    Args:
        shoppers: at the cut, with all that they did before; at least one.
        scenes: opened, by name.
        log: holds all that they did.
        source: what happened before the cut.
        triggers: how a history causes recall.
        settings: of popularity and the bootstrap.
        channels: open, by name, for first visits.
    """
    if not shoppers or not scenes:
        return {}
    now, category, seed = source.now + 1, np.asarray(source.catalogue.category), settings.seed
    best = _best_sold(source.catalogue, log, now, settings.peers.popularity_half_life_days)
    plain = [best] * len(shoppers)
    usual = _gains(shoppers, plain)
    rows = {POPULARITY: _row(shoppers, plain, usual, category, seed)}
    indexes = np.array([shopper.user for shopper in shoppers], np.int64)
    for known in KNOWN:
        asked = shoppers_at(log, indexes, source.users, now, triggers, [known] * len(shoppers))
        for name, pipeline in scenes.items():
            pages = asyncio.run(_pages(pipeline, asked))
            rows[f"{name}, {_label(known)}"] = _row(shoppers, pages, usual, category, seed)
    rng = np.random.default_rng(seed)
    asked = within_first_visits(shoppers, log, source.users, triggers, KNOWN[-1], rng)
    visiting = [shopper for shopper in asked if shopper.query.now > now]
    if len(visiting) < LEAST_FIRST_VISITS:
        return rows
    shown = {
        POPULARITY: [best] * len(visiting),
        **{name: asyncio.run(_pages(pipeline, visiting)) for name, pipeline in scenes.items()},
        **{name: asyncio.run(_heads(channel, visiting)) for name, channel in channels.items()},
    }
    usual = _gains(visiting, shown[POPULARITY])
    return rows | {
        f"{name}{FIRST_VISITS}": _row(visiting, pages, usual, category, seed) for name, pages in shown.items()
    }


def _best_sold(
    catalogue: Catalogue, log: InteractionLog, now: int, half_life_days: float
) -> NDArray[np.int32]:
    """int32[≤ `PAGE`]: what is taken most before unix second `now`, of what may be shown."""
    visits = Visits.of(PastEvents.before(log, now)).popularity(half_life_days)
    shown = np.asarray(catalogue.in_stock) & ~np.asarray(catalogue.adult)
    popularity = np.where(shown, visits, 0.0)
    best = np.argsort(-popularity, kind="stable")[:PAGE].astype(np.int32)
    return best[popularity[best] > 0]


def _label(known: int) -> str:
    return "anonymous" if known == 0 else f"{known} known"


async def _pages(pipeline: Pipeline[Query], asked: Sequence[TestShopper]) -> list[NDArray[np.int32]]:
    """The page of each; whom nobody knows are all shown the same."""
    queries = [replace(shopper.query, scene=pipeline.name) for shopper in asked]
    rows, own = distinct_askers(queries)
    pages = [await served_items(pipeline, queries[row], PAGE) for row in rows]
    return [pages[at] for at in own]


async def _heads(channel: Channel, asked: Sequence[TestShopper]) -> list[NDArray[np.int32]]:
    return [(await channel.recall(shopper.query, PAGE)).items for shopper in asked]


def _gains(shoppers: Sequence[TestShopper], pages: Sequence[NDArray[np.int32]]) -> NDArray[np.float64]:
    """float64[s], NDCG@10 of each page."""
    targets = [shopper.targets for shopper in shoppers]
    found = ndcg(hits_of(pages, targets, PAGE), np.array([len(each) for each in targets]), PAGE)
    return np.asarray(found, np.float64)


def _row(
    shoppers: Sequence[TestShopper],
    pages: Sequence[NDArray[np.int32]],
    usual: NDArray[np.float64],
    category: NDArray[np.integer],
    seed: int,
) -> dict[str, float]:
    gains = _gains(shoppers, pages)
    each = np.arange(len(gains))
    low, high = grouped_interval(gains, each, np.random.default_rng(seed))
    over_low, over_high = grouped_interval(gains - usual, each, np.random.default_rng(seed))
    hits = hits_of(pages, [shopper.targets for shopper in shoppers], PAGE)
    different = [len(np.unique(category[page][category[page] > 0])) for page in pages]
    values = (
        gains.mean(),
        low,
        high,
        (gains - usual).mean(),
        over_low,
        over_high,
        hit_rate(hits, PAGE).mean(),
        np.mean(different),
    )
    return dict(zip(COLUMNS, map(float, values), strict=True))
