"""Whether the scores of pages about an item are probabilities that the item is the next of the basket."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from evaluation.anchor_pairs import AnchorPairs
from evaluation.queries import anonymous_at
from evaluation.reliability import ScoredCandidates, reliability_rows
from evaluation.served_scene import UNHURRIED_MS
from pipeline.candidates import PROBABILITY
from pipeline.plan import Pipeline
from pipeline.runner import rank
from recall.query import Query


def anchor_reliability(
    pairs: AnchorPairs,
    shoppers: Mapping[int, Query],
    pipelines: Mapping[str, Pipeline[Query]],
    now: int,
    seed: int,
) -> dict[str, dict[str, float]]:
    """The rows of `reliability.reliability_rows` of each scene, for known shoppers and for anonymous ones.

    Args:
        pairs: what was taken next.
        shoppers: user index → query, of every user of the pairs.
        pipelines: scene → its pipeline; one whose candidates have no probability has no rows.
        now: time of the anonymous requests, unix seconds.
        seed: of the bootstrap.
    """
    nobody = anonymous_at(now)
    rows: dict[str, dict[str, float]] = {}
    for name, pipeline in pipelines.items():
        for who, asked in (("known shopper", shoppers), ("anonymous", {})):
            scored = asyncio.run(_scored(pipeline, pairs, asked, nobody))
            if scored is not None:
                rows |= reliability_rows(f"{name}, {who}", scored, seed)
    return rows


async def _scored(
    pipeline: Pipeline[Query],
    pairs: AnchorPairs,
    shoppers: Mapping[int, Query],
    nobody: Query,
) -> ScoredCandidates | None:
    """The candidates of the pages about the pairs' anchors; None where a page has no probabilities."""
    whose, scores, taken = [], [], []
    for pair in range(len(pairs.user)):
        query = shoppers.get(int(pairs.user[pair]), nobody)
        query = replace(query, scene=pipeline.name).about(pairs.anchor[pair : pair + 1])
        deadline = time.monotonic() + UNHURRIED_MS / 1_000
        candidates = (await rank(pipeline, query, 1, deadline, time.monotonic)).candidates
        if not len(candidates):
            continue
        probability = candidates.columns.get(PROBABILITY)
        if probability is None:
            return None
        whose.append(np.full(len(candidates), pairs.user[pair]))
        scores.append(probability)
        taken.append(candidates.items == pairs.target[pair])
    if not whose:
        return None
    return ScoredCandidates(np.concatenate(whose), np.concatenate(scores), np.concatenate(taken))
