"""The candidate set: one row per item, a few columns of equal length."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from pipeline.taken_columns import Rows, taken

Int32 = npt.NDArray[np.int32]
UInt32 = npt.NDArray[np.uint32]
Float32 = npt.NDArray[np.float32]

MAX_CHANNELS = 32

PROBABILITY = "probability"
"""Further column: the probability of the scene's event, which answers show as an item's score."""
SHOWN = "shown"
"""Further column: what answers show in its place, where it is neither that nor what orders."""

NO_COLUMNS: Mapping[str, Float32] = MappingProxyType({})
"""The further columns of candidates that have none."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Items under consideration, as columns of equal length n.

    items         int32[n], dense item indexes, never 0, no item twice
    channels      uint32[n], bit i set where the i-th channel of the pipeline recalled the item
    recall_score  float32[n], score by the first channel of those bits (channels differ in scale)
    trigger       int32[n], item that caused the recall by that first channel, 0 = none
    score         float32[n], that ranking orders by; NaN until scored
    columns       float32[n] each, further columns by name: what each of several scorers gave, under
                  "<scorer>.<column>"; empty where one scorer alone gives `score`
    """

    items: Int32
    channels: UInt32
    recall_score: Float32
    trigger: Int32
    score: Float32
    columns: Mapping[str, Float32] = field(default_factory=lambda: NO_COLUMNS)

    def __len__(self) -> int:
        """Number of candidates."""
        return self.items.size

    def take(self, chosen: Rows) -> Candidates:
        """The rows at `chosen`: positions int[m] in the order wanted, a mask bool[n], or a slice."""
        return Candidates(
            self.items[chosen],
            self.channels[chosen],
            self.recall_score[chosen],
            self.trigger[chosen],
            self.score[chosen],
            taken(self.columns, chosen) if self.columns else NO_COLUMNS,
        )

    def with_score(self, score: Float32) -> Candidates:
        """The same rows with the column `score` float32[n] in place of the present one."""
        return Candidates(self.items, self.channels, self.recall_score, self.trigger, score, self.columns)

    def with_columns(self, columns: Mapping[str, Float32]) -> Candidates:
        """The same rows with further `columns` float32[n]; one of a name already there replaces it."""
        return replace(self, columns={**self.columns, **columns})

    def followed_by(self, other: Candidates) -> Candidates:
        """These rows, then those of `other`, which must not contain an item of these.

        A further column that only one of the two has is NaN in the rows of the other.
        """
        return Candidates(
            np.concatenate((self.items, other.items)),
            np.concatenate((self.channels, other.channels)),
            np.concatenate((self.recall_score, other.recall_score)),
            np.concatenate((self.trigger, other.trigger)),
            np.concatenate((self.score, other.score)),
            _joined(self, other) if self.columns or other.columns else NO_COLUMNS,
        )


def _joined(first: Candidates, second: Candidates) -> dict[str, Float32]:
    def column(candidates: Candidates, name: str) -> Float32:
        given = candidates.columns.get(name)
        return np.full(len(candidates), np.nan, np.float32) if given is None else given

    names = dict.fromkeys((*first.columns, *second.columns))
    return {name: np.concatenate((column(first, name), column(second, name))) for name in names}


def unscored(items: Int32, channels: UInt32, recall_score: Float32, trigger: Int32) -> Candidates:
    """Candidates not yet scored: the four columns [n] given, and `score` float32[n], all NaN."""
    return Candidates(
        items, channels, recall_score, trigger, np.full(items.shape[0], np.nan, dtype=np.float32)
    )


def no_candidates() -> Candidates:
    """An empty candidate set."""
    return unscored(
        np.empty(0, np.int32), np.empty(0, np.uint32), np.empty(0, np.float32), np.empty(0, np.int32)
    )
