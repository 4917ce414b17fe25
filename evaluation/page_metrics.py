"""What one row of the table of served pages counts: what shoppers took of their pages, and how pages look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.peers.past_events import PastEvents
from evaluation.queries import TestShopper
from foundation.statistics.bootstrap import grouped_interval
from foundation.statistics.ranking_metrics import (
    average_precision,
    f1,
    hit_rate,
    ndcg,
    precision,
    recall,
    reciprocal_rank,
)

WINDOW = ("ndcg@{k}", "low", "high", "hr@{k}", "mrr", "map@{k}")
SETS = (
    "precision@{k}",
    "recall@{k}",
    "f1@{k}",
    "new_recall@{k}",
    "next_ndcg@{k}",
    "next_hr@{k}",
    "worth@{k}",
)
LOOKS = ("same_category", "distinct", "novelty", "overlap", "taken_before")
HEADS = ("most_shown", "head_most", "head_overlap")
"""The columns, in four blocks that each fit a terminal; {k} = slots of a page."""
HEAD = 4
"""First slots of a page, which a shopper sees before scrolling."""


@dataclass(frozen=True, slots=True)
class PageFacts:
    """What pages are compared with.

    past: what shoppers did before; category: int[N+1], 0 = unknown; price: float[N+1], not above 0 = unknown,
    or None where none is known.
    """

    past: PastEvents
    category: NDArray[np.integer]
    price: NDArray[np.floating] | None = None

    def popularity_bits(self) -> NDArray[np.float64]:
        """float64[N+1]: −log2 of an item's share of the events; one without any counts as one with one."""
        counts = np.maximum(np.bincount(self.past.item, minlength=self.past.items + 1), 1)
        return np.log2(max(len(self.past.item), 1) / counts)


def page_row(
    shoppers: Sequence[TestShopper],
    pages: Sequence[NDArray[np.int32]],
    facts: PageFacts,
    k: int,
    seed: int,
) -> dict[str, float]:
    """Column → value; one page for each shopper, int32[≤ k], best first.

    Targets are the distinct items that a shopper takes in the test range. The columns:
        ndcg@k: with its 95 % bootstrap interval over shoppers (low, high).
        hr@k, mrr, map@k, precision@k, recall@k, f1@k: means over shoppers.
        new_recall@k: recall of targets never taken before, for the shoppers who have some.
        worth@k: prices of the page's targets, summed, a mean over shoppers; unknown ones count nothing.
        next_ndcg@k, next_hr@k: where the targets are those of the shopper's first day in the test range.
        same_category: intra-list similarity, the part of a page's pairs of items that share a category.
        distinct: different items on all pages.
        novelty: mean of −log2 of the share of all earlier events that an item has, in bits.
        overlap: part of a page that is also on the page of another shopper.
        taken_before: part of a page that its shopper took before.
        most_shown: part of the pages that have the item which is on most of them.
        head_most, head_overlap: most_shown and overlap of the first `HEAD` slots.
    Where there is nothing to measure the value is NaN.
    """
    hits = hits_of(pages, [shopper.targets for shopper in shoppers], k)
    targets = np.array([len(shopper.targets) for shopper in shoppers])
    gains = ndcg(hits, targets, k)
    low, high = grouped_interval(gains, np.arange(len(gains)), np.random.default_rng(seed))
    precisions, recalls = precision(hits, k), recall(hits, targets, k)
    row = {
        "ndcg@{k}": float(gains.mean()),
        "low": low,
        "high": high,
        "hr@{k}": float(hit_rate(hits, k).mean()),
        "mrr": float(reciprocal_rank(hits, k).mean()),
        "map@{k}": float(average_precision(hits, targets, k).mean()),
        "precision@{k}": float(precisions.mean()),
        "recall@{k}": float(recalls.mean()),
        "f1@{k}": float(f1(precisions, recalls).mean()),
        "new_recall@{k}": _part_recall(pages, [shopper.new_targets for shopper in shoppers], k),
        **_next_visit(shoppers, pages, k),
        "worth@{k}": _worth(hits, pages, facts),
        **page_looks(shoppers, pages, facts),
    }
    return {column.format(k=k): row[column] for column in (*WINDOW, *SETS, *LOOKS, *HEADS)}


def overlap_of(pages: Sequence[NDArray[np.int32]]) -> float:
    """The part of a page that is also on another of the pages, a mean over pairs; NaN where all are empty."""
    shown_on = np.unique(np.concatenate(pages), return_counts=True)[1]
    others = (len(pages) - 1) * sum(len(page) for page in pages)
    return float((shown_on * (shown_on - 1)).sum() / others) if others else float("nan")


def most_shown(pages: Sequence[NDArray[np.int32]]) -> float:
    """The part of the pages that have the item which is on most of them; NaN where all are empty."""
    shown_on = np.unique(np.concatenate(pages), return_counts=True)[1]
    return float(shown_on.max() / len(pages)) if shown_on.size else float("nan")


def hits_of(
    pages: Sequence[NDArray[np.int32]], targets: Sequence[NDArray[np.int32]], k: int
) -> NDArray[np.bool_]:
    """bool[pages, k]: which slots hold a target of the page's shopper; pages int32[≤ k], targets int32[t]."""
    hits = np.zeros((len(pages), k), dtype=bool)
    for row, (page, wanted) in enumerate(zip(pages, targets, strict=True)):
        hits[row, : len(page)] = np.isin(page[:k], wanted)
    return hits


def _worth(hits: NDArray[np.bool_], pages: Sequence[NDArray[np.int32]], facts: PageFacts) -> float:
    if facts.price is None:
        return float("nan")
    known = np.where(np.isfinite(facts.price) & (facts.price > 0), facts.price, 0).astype(np.float64)
    if not known.any():
        return float("nan")
    k = hits.shape[1]
    worth = [known[page[:k]][hit[: len(page)]].sum() for hit, page in zip(hits, pages, strict=True)]
    return float(np.mean(worth))


def _part_recall(pages: Sequence[NDArray[np.int32]], targets: Sequence[NDArray[np.int32]], k: int) -> float:
    counts = np.array([len(wanted) for wanted in targets])
    some = counts > 0
    if not some.any():
        return float("nan")
    return float(recall(hits_of(pages, targets, k)[some], counts[some], k).mean())


def _next_visit(
    shoppers: Sequence[TestShopper], pages: Sequence[NDArray[np.int32]], k: int
) -> dict[str, float]:
    hits = hits_of(pages, [shopper.next_targets for shopper in shoppers], k)
    counts = np.array([len(shopper.next_targets) for shopper in shoppers])
    some = counts > 0
    if not some.any():
        return {"next_ndcg@{k}": float("nan"), "next_hr@{k}": float("nan")}
    return {
        "next_ndcg@{k}": float(ndcg(hits[some], counts[some], k).mean()),
        "next_hr@{k}": float(hit_rate(hits[some], k).mean()),
    }


def page_looks(
    shoppers: Sequence[TestShopper], pages: Sequence[NDArray[np.int32]], facts: PageFacts
) -> dict[str, float]:
    """The columns `LOOKS` and `HEADS` of `page_row`, of one page for each shopper."""
    shown = np.concatenate(pages)
    heads = [page[:HEAD] for page in pages]
    taken = [
        np.isin(page, facts.past.items_of(shopper.user))
        for shopper, page in zip(shoppers, pages, strict=True)
    ]
    pairs = [_same_pairs(facts.category[page]) for page in pages if len(page) > 1]
    return {
        "same_category": float(np.mean(pairs)) if pairs else float("nan"),
        "distinct": float(len(np.unique(shown))),
        "novelty": float(facts.popularity_bits()[shown].mean()) if len(shown) else float("nan"),
        "overlap": overlap_of(pages),
        "taken_before": float(np.concatenate(taken).mean()) if len(shown) else float("nan"),
        "most_shown": most_shown(pages),
        "head_most": most_shown(heads),
        "head_overlap": overlap_of(heads),
    }


def _same_pairs(categories: NDArray[np.integer]) -> float:
    """The part of the pairs, of two items or more, that share a known category."""
    counts = np.unique(categories[categories > 0], return_counts=True)[1]
    return float((counts * (counts - 1)).sum() / (len(categories) * (len(categories) - 1)))
