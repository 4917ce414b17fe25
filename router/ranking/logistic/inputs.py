"""The inputs of the logistic ranker: one row per candidate, one column per input."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from features.memory import HALF_LIVES_DAYS, NEVER_DAYS, Memory, Past, memory, past_of
from features.reference_time import reference_time
from pipeline.candidates import Candidates
from pipeline.channel_ranks import PREFIX
from recall.again import past_behaviours
from recall.query import Query
from router.ranking.logistic.item_facts import FACTS, ItemFacts
from snapshot.catalogue import Catalogue

Float32 = NDArray[np.float32]

GROUPS = ("item", "category", "brand")
"""Of what the shopper's memory is an input."""
_MEMORY = (
    "count",
    *(f"decayed_{half:.0f}d" for half in HALF_LIVES_DAYS),
    "bought",
    "days",
    "newest",
    "newest_week",
    "newest_month",
    "span",
)
_RHYTHM = ("item.share_of_visits", "category.share_of_visits", "item.share_of_category")
_GAP = ("item.returned", "item.gap", "item.due", "item.off_due")
_SHOPPER = ("shopper.count", "shopper.days", "shopper.span", "shopper.newest")


def input_names(channels: Sequence[str]) -> tuple[str, ...]:
    """Names of the columns of `ranker_inputs` for these channels, in their order."""
    return (
        *(f"{PREFIX}{channel}.{form}" for channel in channels for form in ("log", "inverse")),
        *(f"{group}.{name}" for group in GROUPS for name in _MEMORY),
        *_RHYTHM,
        *_GAP,
        *_SHOPPER,
        *(f"item.{fact}" for fact in FACTS),
    )


def ranker_inputs(
    query: Query, candidates: Candidates, facts: ItemFacts, catalogue: Catalogue, channels: Sequence[str]
) -> Float32:
    """float32[n, F], the columns of `input_names(channels)`, all finite.

    Args:
        query: the shopper; the whole history and all purchases are used.
        candidates: n items, with a column `rank.<channel>` for each of the channels that was asked.
        facts: of the items.
        catalogue: groups of the items.
        channels: whose ranks are inputs; one that was not asked recalled nothing.

    Counts enter by their logarithm, ages by their logarithm and by decays of a week and a month, ranks as
    1 / log2(1 + rank), the discount of NDCG, and 10 / (9 + rank).
    """
    items = candidates.items
    touched, events, ts = past_behaviours(query)
    newest = int(ts.max(initial=0))
    now = int(reference_time(query.now, newest))
    past = past_of(events, ts, now)
    of_item = memory(items, touched, past)
    of_category, of_brand = (
        memory(codes[items], codes[touched], past) for codes in (catalogue.category, catalogue.brand)
    )
    visits = max(past.visits, 1)
    columns: list[NDArray[np.floating]] = [
        *_ranks(candidates, channels),
        *_remembered(of_item),
        *_remembered(of_category),
        *_remembered(of_brand),
        of_item.days / visits,
        of_category.days / visits,
        of_item.behaviours / np.maximum(of_category.behaviours, 1),
        *_gaps(of_item),
        *_shopper(past, visits, items.size),
    ]
    inputs = np.empty((items.size, len(columns) + len(FACTS)), np.float32)
    for place, column in enumerate(columns):
        inputs[:, place] = column
    inputs[:, len(columns) :] = facts.values[items]
    return inputs


def _ranks(candidates: Candidates, channels: Sequence[str]) -> list[NDArray[np.floating]]:
    columns: list[NDArray[np.floating]] = []
    for channel in channels:
        rank = candidates.columns.get(PREFIX + channel)
        if rank is None:
            columns += [np.zeros(len(candidates), np.float32)] * 2
            continue
        place = np.where(np.isnan(rank), np.inf, rank)
        columns += [1 / np.log2(1 + place), 10 / (9 + place)]
    return columns


def _remembered(of: Memory) -> list[Float32]:
    """The columns of `_MEMORY`."""
    return [
        np.log1p(of.behaviours),
        *np.log1p(8 * of.decayed).T,
        np.log1p(of.bought),
        np.log1p(of.days),
        np.log1p(of.newest),
        np.exp(-of.newest / 7),
        np.exp(-of.newest / 30),
        np.log1p(of.span),
    ]


def _gaps(of: Memory) -> list[NDArray[np.floating]]:
    """The columns of `_GAP`: whether the shopper came back, after how long usually, and how due it is."""
    returned = of.days > 1
    gap = np.where(returned, of.span / np.maximum(of.days - 1, 1), 0)
    due = np.where(returned, of.newest / np.maximum(gap, 0.5), 0)
    off = np.where(returned, np.minimum(np.abs(np.log(np.maximum(due, 0.05))), 3), 0)
    return [returned.astype(np.float32), np.log1p(gap), np.log1p(due), off]


def _shopper(past: Past, visits: int, count: int) -> list[Float32]:
    """The columns of `_SHOPPER`, the same in every row."""
    span, newest = (past.age[-1] - past.age[0], past.age[0]) if past.age.size else (0.0, NEVER_DAYS)
    return [np.full(count, np.log1p(value), np.float32) for value in (past.age.size, visits, span, newest)]
