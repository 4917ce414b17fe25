"""How much popularity must count against an item, so that pages about different items are not the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.page_metrics import overlap_of
from router.ranking.anchor_ranker.order import LogOddsParts, order

PAGE = 10
WEIGHTS = np.arange(0, 1.001, 0.05)
"""The popularity weights that are tried, ascending."""


@dataclass(frozen=True, slots=True)
class ScoredPage:
    """The candidates of a page about one item, int32[n]; parts of their log-odds; int64[n], their baskets."""

    items: NDArray[np.int32]
    parts: LogOddsParts
    baskets: NDArray[np.int64]


def popularity_weight(
    draws: Sequence[Sequence[ScoredPage]], own_weight: float, most_overlap: float, least_distinct: float
) -> float:
    """The smallest of WEIGHTS at which the pages of ten differ enough; the largest where none does.

    Args:
        draws: pages about different items, of one shopper each; a mean over them counts.
        own_weight: of the scorer.
        most_overlap: part of a page, 0 to 1, that another page of the draw repeats.
        least_distinct: part of a draw's slots, 0 to 1, that different items must fill.
    """
    weights: list[float] = np.round(WEIGHTS, 2).tolist()
    for weight in weights:
        alike = np.array([_alike([_head(page, own_weight, weight) for page in draw]) for draw in draws])
        overlap, distinct = alike.mean(axis=0) if len(alike) else (0.0, 1.0)
        if overlap <= most_overlap and distinct >= least_distinct:
            return weight
    return weights[-1]


def _head(page: ScoredPage, own_weight: float, weight: float) -> NDArray[np.int32]:
    value = order(page.parts, page.baskets, own_weight, weight)
    return page.items[np.argsort(-value, kind="stable")[:PAGE]]


def _alike(pages: Sequence[NDArray[np.int32]]) -> tuple[float, float]:
    """Overlap of the pages, and the part of their slots that different items fill."""
    shown = np.concatenate(pages)
    # Without candidates nothing is shown twice.
    return (overlap_of(pages), len(np.unique(shown)) / shown.size) if shown.size else (0.0, 1.0)
