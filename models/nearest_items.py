"""The items nearest to shoppers' vectors, over the whole catalogue, and how many of them were taken."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from foundation.statistics.ranking_metrics import hit_rate, recall
from models.batches import ShopperBatch, encode_shoppers, ordered_batches
from models.interaction_log import InteractionLog
from models.samples import SamplePoints

_ITEMS_AT_ONCE = 131_072


def nearest_items(interests: Tensor, item_vectors: Tensor, k: int) -> np.ndarray:
    """int64[B, k]: the items nearest to any of a shopper's interests, best first.

    interests: float32[B, K, D]; item_vectors: float32[N+1, D], row 0 never returned.
    """
    k = min(k, len(item_vectors) - 1)
    scores, items = [], []
    # Part by part: scores of millions of items would take gigabytes.
    for first in range(0, len(item_vectors), _ITEMS_AT_ONCE):
        score = _best_scores(interests, item_vectors[first : first + _ITEMS_AT_ONCE])
        if first == 0:
            score[:, 0] = -torch.inf
        best = torch.topk(score, min(k, score.shape[1]), dim=1)
        scores.append(best.values)
        items.append(best.indices + first)
    if len(items) == 1:
        return items[0].numpy()
    order = torch.topk(torch.cat(scores, dim=1), k, dim=1).indices
    return torch.gather(torch.cat(items, dim=1), 1, order).numpy()


def _best_scores(interests: Tensor, item_vectors: Tensor) -> Tensor:
    """float32[B, n]: the largest product of each item's vector with one of a shopper's active interests."""
    score = interests[:, 0] @ item_vectors.T
    for interest in interests.unbind(1)[1:]:
        active = (interest.abs().sum(-1, keepdim=True) > 0).float()
        score = torch.maximum(score, interest @ item_vectors.T * active - 2 * (1 - active))
    return score


def recall_at(
    interests_of: Callable[[ShopperBatch], Tensor],
    item_vectors: Tensor,
    log: InteractionLog,
    points: SamplePoints,
    k: int,
    batch_size: int = 256,
) -> dict[str, float]:
    """recall@k and hit_rate@k of the points' positives over the catalogue, points weighing alike.

    interests_of: float32[B, K, D] of B shoppers, in the space of `item_vectors`, float32[N+1, D].
    """
    hits, targets = [], []
    for batch in ordered_batches(points, batch_size):
        with torch.inference_mode():
            found = nearest_items(interests_of(encode_shoppers(log, batch)), item_vectors, k)
        wanted = np.where(batch.positives > 0, batch.positives, -1)
        hits.append((found[:, :, None] == wanted[:, None, :]).any(2))
        targets.append((batch.positives > 0).sum(1))
    hit, target = np.concatenate(hits), np.concatenate(targets)
    return {
        f"recall@{k}": float(recall(hit, target, k).mean()),
        f"hit_rate@{k}": float(hit_rate(hit, k).mean()),
    }
