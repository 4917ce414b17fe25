"""The contract of a recall channel: what it is built from, what it is given, and what it answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from recall.query import Query

if TYPE_CHECKING:
    import polars as pl

    from snapshot.catalogue import Catalogue


class Recalled(NamedTuple):
    """What one channel answers, best first: never a duplicate, never item 0, never −1."""

    items: NDArray[np.int32]
    """int32[m], dense items."""
    scores: NDArray[np.float32]
    """float32[m], descending; comparable inside one channel only."""
    triggers: NDArray[np.int32]
    """int32[m], the query's item that caused each; 0 = none."""


def nothing() -> Recalled:
    """The answer of a channel that has nothing to say."""
    return Recalled(np.empty(0, np.int32), np.empty(0, np.float32), np.empty(0, np.int32))


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
    vectors: Mapping[str, NDArray[np.float32]]
    """Model → the item vectors its trained network makes, float32[N+1, D], row 0 zero."""
    seed: int


ModelCall = Callable[[Query, Mapping[str, NDArray[Any]]], Awaitable[Mapping[str, NDArray[Any]]]]
"""(query, inputs by name) → all outputs by name, of the model version that belongs to the query's snapshot.

Raises DependencyError where the model cannot be reached, is too slow, or refuses.
"""


@dataclass(frozen=True)
class Services:
    """What a channel may call while it recalls."""

    model: Callable[[str], ModelCall]
    """The call of a model by its name in `models.registry`; KeyError where there is none."""


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
