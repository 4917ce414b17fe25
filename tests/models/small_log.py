"""Random logs for tests of samples and training."""

from __future__ import annotations

import numpy as np
import polars as pl

from models.interaction_log import InteractionLog

START = 1_700_000_000


def random_log(
    seed: int,
    users: int = 6,
    items: int = 12,
    events: int = 120,
    span: int = 40_000,
    impressions: float = 0.3,
) -> InteractionLog:
    """Events at random times, many at the same second, of all five types; one user has none."""
    rng = np.random.default_rng(seed)
    kind = np.where(rng.random(events) < impressions, 1, rng.integers(2, 6, events))
    frame = pl.DataFrame(
        {
            "user": rng.integers(1, max(2, users), events).astype(np.int32),
            "item": rng.integers(0, items + 1, events).astype(np.int32),
            "event": kind.astype(np.uint8),
            "ts": START + rng.integers(0, span // 50, events) * 50,
        }
    )
    people = pl.DataFrame(
        {
            "user": np.arange(1, users + 1, dtype=np.int32),
            "gender_code": rng.integers(0, 3, users).astype(np.int32),
            "purchasing_power_code": rng.integers(0, 3, users).astype(np.int32),
        }
    )
    categories = rng.integers(0, 4, items + 1).astype(np.int32)
    categories[0] = 0
    return InteractionLog.from_frames(frame, people, items, categories)
