"""The registration of a fusion."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.stages import Fusion
from recall.query import Query
from router.tables.component import ComponentKind, Parts


@dataclass(frozen=True, slots=True)
class FusionParts(Parts):
    """What a fusion is created from.

    channels  names of the scene's live channels, in the order in which their answers are passed to it
    shares    float64[c], their shares in the scene, not negative, sum above 0; need not sum to 1
    """

    channels: tuple[str, ...]
    shares: npt.NDArray[np.float64]


def no_channels(settings: Any) -> tuple[tuple[str, str], ...]:
    """For fusions whose settings name no channel."""
    return ()


def even_ranks(settings: Any) -> float:
    """For fusions that do not divide by ranks: the offset of Cormack, Clarke and Büttcher (SIGIR 2009)."""
    return 60.0


def as_it_is(settings: Any) -> None:
    """For fusions that are the same for every shopper."""


@dataclass(frozen=True)
class FusionKind(ComponentKind[FusionParts, Fusion]):
    """A fusion's settings, how it is created, the tables it reads, and the channels its settings name."""

    channels: Callable[[Any], Iterable[tuple[str, str]]] = no_channels
    """Settings → (key of the settings, channel that is named below it); one that the scene does not have is
    refused when the configuration is read."""
    offset: Callable[[Any], float] = even_ranks
    """Settings → what is added to a channel's ranks where an item is credited to channels by
    share / (offset + rank)."""
    fitted: Callable[[Any], Callable[[Any, Query], Fusion] | None] = as_it_is
    """Settings → what turns a fusion created from them into that of a query's shopper; None: nothing does."""
