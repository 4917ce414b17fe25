"""The recall table: each channel alone, baselines, fusion, and the full path with ranking."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import numpy as np

from evaluation.baselines import ItemCf
from evaluation.errors import EvaluationError
from evaluation.loaded_models import LoadedModel
from evaluation.queries import TestShopper
from evaluation.scene_fusion import FusionOf
from features.history import HISTORY_LENGTH
from foundation.statistics.ranking_metrics import hit_rate, ndcg, recall
from recall.channel import Channel, Recalled

NO_ITEM = 0


def recall_table(
    shoppers: Sequence[TestShopper],
    channels: Mapping[str, Channel],
    quotas: Mapping[str, float],
    fusion_of: FusionOf,
    item_cf: ItemCf,
    ranking: LoadedModel,
    *,
    ks: Sequence[int],
    fused_total: int,
    rank_candidates: int,
) -> dict[str, dict[str, float]]:
    """Row → column → value. Targets of a shopper are the distinct items taken from the test cut on.

    Rows: popularity and item_cf (from the histories the models see); each channel alone and their fusion,
    made of `quotas` (channel → share, in the order of the scene), all with a budget of `fused_total` items; a
    channel that is not in the scene and recalls nothing for anybody has no row;
    `fused_<model>`, the full path, where `ranking` orders `rank_candidates` fused items.
    Columns: recall@k, hr@k and ndcg@k for each of `ks`, and recall@k over new targets only (`new_recall@k`),
    for the shoppers who have some. A channel with fewer than k items is measured on what it gives.

    Raises EvaluationError where there is no shopper or a quota names an unknown channel.
    """
    if not shoppers:
        raise EvaluationError("no shopper takes anything in the test range; move the data set's cuts")
    unknown = sorted(set(quotas) - set(channels))
    if unknown:
        raise EvaluationError(f"quotas name channels that are not built: {', '.join(unknown)}")
    depth = max(fused_total, rank_candidates, *ks)
    answers = asyncio.run(ask(shoppers, channels, depth))
    ranked: dict[str, list[np.ndarray]] = {"popularity": [], "item_cf": []}
    by_popularity = np.argsort(-item_cf.popularity, kind="stable")
    by_popularity = by_popularity[by_popularity > 0][:depth]
    ranked["popularity"] = [by_popularity[:fused_total]] * len(shoppers)
    ranked["item_cf"] = _item_cf_items(item_cf, shoppers, fused_total)
    for name in channels:
        lists = [answer[name].items[:fused_total] for answer in answers]
        if name in quotas or recalls_any(lists):
            ranked[name] = lists
    fusion = fusion_of(quotas)
    fused, scored = [], []
    for shopper, answer in zip(shoppers, answers, strict=True):
        columns = [answer[name] for name in quotas]
        fused.append(fusion.fuse(columns, fused_total).items)
        candidates = fusion.fuse(columns, rank_candidates).items
        scores = ranking.scores(shopper.query, candidates)
        scored.append(candidates[np.argsort(-scores, kind="stable")])
    ranked["fused"], ranked[f"fused_{ranking.record.model}"] = fused, scored
    return {name: measure(shoppers, items, ks) for name, items in ranked.items()}


def measure(
    shoppers: Sequence[TestShopper], ranked: Sequence[np.ndarray], ks: Sequence[int]
) -> dict[str, float]:
    """Columns of one row; ranked: int[m] items for each shopper, best first, m of any length."""
    targets = np.array([len(shopper.targets) for shopper in shoppers])
    new = np.array([len(shopper.new_targets) for shopper in shoppers])
    width = max(ks)
    hits = np.zeros((len(shoppers), width), dtype=bool)
    new_hits = np.zeros_like(hits)
    for row, (shopper, items) in enumerate(zip(shoppers, ranked, strict=True)):
        items = items[:width]
        hits[row, : len(items)] = np.isin(items, shopper.targets)
        new_hits[row, : len(items)] = np.isin(items, shopper.new_targets)
    columns: dict[str, float] = {}
    for k in ks:
        columns[f"recall@{k}"] = float(recall(hits, targets, k).mean())
        columns[f"hr@{k}"] = float(hit_rate(hits, k).mean())
        columns[f"ndcg@{k}"] = float(ndcg(hits, targets, k).mean())
        seeking = new > 0
        columns[f"new_recall@{k}"] = (
            float(recall(new_hits[seeking], new[seeking], k).mean()) if seeking.any() else float("nan")
        )
    return columns


def recalls_any(lists: Sequence[np.ndarray]) -> bool:
    """Whether any list of any shopper has an item; `context`, for example, waits for a search."""
    return any(items.size for items in lists)


async def ask(
    shoppers: Sequence[TestShopper], channels: Mapping[str, Channel], k: int
) -> list[dict[str, Recalled]]:
    """What each channel answers to each shopper, one after the other: shopper → channel → at most k items."""
    return [
        {name: await channel.recall(shopper.query, k) for name, channel in channels.items()}
        for shopper in shoppers
    ]


def _item_cf_items(item_cf: ItemCf, shoppers: Sequence[TestShopper], count: int) -> list[np.ndarray]:
    """The best items by item-CF from the part of each history that the models see."""
    ranked: list[np.ndarray] = []
    for start in range(0, len(shoppers), 128):
        queries = [shopper.query for shopper in shoppers[start : start + 128]]
        items = np.concatenate([query.history_items[:HISTORY_LENGTH] for query in queries])
        ts = np.concatenate([query.history_ts[:HISTORY_LENGTH] for query in queries])
        lengths = [min(len(query.history_items), HISTORY_LENGTH) for query in queries]
        offsets = np.concatenate(([0], np.cumsum(lengths)))
        scores = item_cf.scores(items, ts, offsets, np.array([query.now for query in queries]))
        scores[:, NO_ITEM] = -np.inf
        count = min(count, scores.shape[1] - 1)
        best = np.argpartition(-scores, count - 1, axis=1)[:, :count]
        order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1, kind="stable")
        ranked.extend(np.take_along_axis(best, order, axis=1))
    return ranked
