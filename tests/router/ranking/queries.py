"""Queries and candidates for the ranking tests."""

import numpy as np

from pipeline.candidates import Candidates, unscored
from recall.query import Query


def query(history: int = 3, version: str = "1", seed: int = 0) -> Query:
    """A shopper with `history` behaviours on tiny items, whose snapshot names `version` of both models."""
    random = np.random.default_rng(seed)
    now = 1_700_000_000
    return Query(
        scene="home",
        user_id="u1",
        now=now,
        history_items=random.integers(1, 51, history, dtype=np.int32),
        history_events=random.integers(2, 6, history).astype(np.uint8),
        history_ts=np.sort(now - random.integers(0, 10**6, history))[::-1].astype(np.int64),
        profile_codes=np.array([1, 2, 0, 3], np.int32),
        context_codes=np.array([10, 4, 1], np.int32),
        model_versions={"bst": version, "mind": version} if version else {},
    )


def candidates(count: int, seed: int = 0) -> Candidates:
    """`count` candidates; items repeat where there are more than the tiny catalogue holds."""
    items = np.random.default_rng(seed).integers(1, 51, count, dtype=np.int32)
    return unscored(items, np.ones(count, np.uint32), np.zeros(count, np.float32), np.zeros(count, np.int32))
