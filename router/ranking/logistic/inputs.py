"""The inputs of the logistic ranker: one row per candidate, one column per input."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from features.memory import (
    COUNT,
    DAYS,
    DECAYED,
    NEVER_DAYS,
    NEWEST,
    ROWS,
    SPAN,
    Past,
    memory,
    past_of,
)
from features.reference_time import reference_time
from pipeline.candidates import Candidates
from pipeline.channel_ranks import PREFIX
from recall.again import past_behaviours
from recall.item_facts import FACTS, ItemFacts
from recall.query import Query
from snapshot.catalogue import Catalogue

Float32 = NDArray[np.float32]

GROUPS = ("item", "category", "brand")
"""Of what the shopper's memory is an input."""
TAKEN_BEFORE = "item.count"
"""The input that is above 0 where the shopper took the item before."""
_RECENCY_DAYS = {"newest_week": 7.0, "newest_month": 30.0}
_RHYTHM = ("item.share_of_visits", "category.share_of_visits", "item.share_of_category")
_GAP = ("item.returned", "item.gap", "item.due", "item.off_due")
SHOPPER_COUNT = "shopper.count"
"""The input that is the logarithm of 1 + the shopper's behaviours."""
_SHOPPER = (SHOPPER_COUNT, "shopper.days", "shopper.span", "shopper.newest")
_DECAYED_FACTOR = 8.0
"""Decayed counts are multiplied by this before their logarithm, so that .1 and .01 differ."""


def input_names(channels: Sequence[str]) -> tuple[str, ...]:
    """Names of the columns of `ranker_inputs` for these channels, in their order."""
    return (
        *(f"{PREFIX}{channel}.{form}" for channel in channels for form in ("log", "inverse")),
        *(f"{group}.{name}" for group in GROUPS for name in ROWS),
        *(f"{group}.{name}" for group in GROUPS for name in _RECENCY_DAYS),
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
    now = int(reference_time(query.now, ts.max(initial=0)))
    past = past_of(events, ts, now)
    remembered = np.stack(
        [
            memory(items, touched, past),
            *(memory(codes[items], codes[touched], past) for codes in (catalogue.category, catalogue.brand)),
        ]
    )
    of_item, of_category, _ = remembered
    visits = max(past.visits, 1)
    # One input per row, so that each is written in one stretch.
    inputs = np.concatenate(
        (
            _ranks(candidates, channels),
            _logarithms(remembered),
            *(np.exp(remembered[:, NEWEST] / -days) for days in _RECENCY_DAYS.values()),
            [
                of_item[DAYS] / visits,
                of_category[DAYS] / visits,
                of_item[COUNT] / np.maximum(of_category[COUNT], 1),
                *_gaps(of_item),
            ],
            _shopper(past, visits, items.size),
            facts.values[items].T,
        ),
        dtype=np.float32,
    )
    return inputs.T


def _ranks(candidates: Candidates, channels: Sequence[str]) -> NDArray[np.floating]:
    """float[2 · c, n]: both forms of each channel's rank, 0 where it did not recall the candidate."""
    nowhere = np.full(len(candidates), np.nan, np.float32)
    ranks = [candidates.columns.get(PREFIX + channel, nowhere) for channel in channels]
    place = np.array(ranks, np.float32).reshape(len(channels), len(candidates))
    place[np.isnan(place)] = np.inf
    forms = np.stack((1 / np.log2(1 + place), 10 / (9 + place)), axis=1)
    return forms.reshape(2 * len(channels), len(candidates))


def _logarithms(remembered: Float32) -> Float32:
    """float32[g · 8, n] of the memories float32[g, 8, n] of g groups."""
    values = remembered.copy()
    values[:, DECAYED] *= _DECAYED_FACTOR
    groups, rows, count = values.shape
    return np.log1p(values, out=values).reshape(groups * rows, count)


def _gaps(of: Float32) -> list[NDArray[np.floating]]:
    """The inputs of `_GAP`: whether the shopper came back, after how long usually, and how due it is."""
    returned = of[DAYS] > 1
    gap = np.where(returned, of[SPAN] / np.maximum(of[DAYS] - 1, 1), 0)
    due = np.where(returned, of[NEWEST] / np.maximum(gap, 0.5), 0)
    off = np.where(returned, np.minimum(np.abs(np.log(np.maximum(due, 0.05))), 3), 0)
    return [returned, np.log1p(gap), np.log1p(due), off]


def _shopper(past: Past, visits: int, count: int) -> NDArray[np.floating]:
    """float[4, n]: the inputs of `_SHOPPER`, the same for every candidate."""
    span, newest = (past.age[-1] - past.age[0], past.age[0]) if past.age.size else (0.0, NEVER_DAYS)
    values = np.log1p(np.array([past.age.size, visits, span, newest]))
    return np.broadcast_to(values[:, None], (values.size, count))
