"""The contract of a recall channel: what it is built from, what it is given, and what it answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from pipeline.stages import Recalled as Recalled
from recall.query import Query

if TYPE_CHECKING:
    import polars as pl

    from snapshot.catalogue import Catalogue


@dataclass(frozen=True)
class BuildSource:
    """What a channel's tables are built from, offline."""

    events: pl.DataFrame
    """user int32, item int32, event uint8, ts int64, sorted by user and ts."""
    users: pl.DataFrame
    """user int32, user_id str, gender, age_band, city, purchasing_power (str, null = unknown), …"""
    catalogue: Catalogue
    now: int
    """Unix seconds the tables stand at: nothing after it is used, and ages are counted back from it."""
    item_vectors: NDArray[np.float32] | None
    """float32[N+1, D], L2-normalised, row 0 zero; None where no embedding model is trained."""
    seed: int


@dataclass(frozen=True)
class Services:
    """What a channel may call while it is asked."""

    embed_history: Callable[[Query], Awaitable[NDArray[np.float32]]]
    """The shopper's interests, float32[K, D], L2-normalised; all-zero rows where there is no history."""


@runtime_checkable
class Channel(Protocol):
    """One source of candidates, opened over the files of one snapshot."""

    @property
    def name(self) -> str:
        """The channel's name in the registry, the settings and the answer's reasons."""
        ...

    async def recall(self, query: Query, k: int) -> Recalled:
        """At most k items for the query, best first, no duplicates, no 0 and no −1."""
        ...
