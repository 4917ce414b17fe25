"""What searches pictures: the contract of an index in one process and of one in parts on several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray


class Alike(NamedTuple):
    """What a search found, best first."""

    items: NDArray[np.int32]
    """int32[m], distinct."""
    likeness: NDArray[np.float32]
    """float32[m], cosines."""
    missing: str = ""
    """Which parts of the index did not answer, for people; "" where all did."""


class Pictured(NamedTuple):
    """Items that have a picture."""

    items: NDArray[np.int32]
    """int32[m], in the order in which they were asked for."""
    vectors: NDArray[np.float32]
    """float32[m, D], of the first picture of each."""
    missing: str = ""
    """Which parts of the index did not answer, so that their items seem to have none."""


@dataclass(frozen=True, slots=True)
class IndexChange:
    """A picture that was put or deleted, in the terms of one snapshot.

    Attributes:
        item: 1…N.
        content: the picture's content as two numbers; None = all pictures of the item.
        vector: float32[D] of length 1; None = deleted.
    """

    item: int
    content: tuple[int, int] | None
    vector: NDArray[np.float32] | None


class PictureSearch(Protocol):
    """An index of pictures; its methods may be called in many threads at once."""

    @property
    def waits(self) -> bool:
        """Whether a call may wait for another process, so that an event loop makes it in a thread."""
        ...

    @property
    def revision(self) -> int:
        """Of the last change that is in every part that answers."""
        ...

    @property
    def pictures(self) -> tuple[int, int]:
        """Pictures of the snapshot and pictures that arrived since, dead ones included."""
        ...

    def apply(self, changes: Sequence[IndexChange], revision: int) -> None:
        """Takes up changes in their order, up to a revision. Repeatable."""
        ...

    def vectors_of(self, items: NDArray[np.int32]) -> Pictured:
        """Those of int32[n] that have a picture, and the vectors of their first ones."""
        ...

    def search(
        self,
        vector: NDArray[np.float32],
        k: int,
        *,
        category: int = 0,
        eligible: NDArray[np.bool_] | None = None,
        minimum: float = -1.0,
    ) -> Alike:
        """The items in stock whose pictures are most alike; see `PictureIndex.search`."""
        ...


def best_items(items: NDArray[np.int32], likeness: NDArray[np.float32], k: int, missing: str = "") -> Alike:
    """The k best of int32[n] items by float32[n] cosines, each item once, by its best picture.

    Equal pictures are ordered by their items, whatever the order in which they were found.
    """
    order = np.lexsort((items, -likeness))
    _, first = np.unique(items[order], return_index=True)
    best = order[np.sort(first)[:k]]
    return Alike(items[best].astype(np.int32), likeness[best].astype(np.float32), missing)
