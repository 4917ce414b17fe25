"""The candidate set: one row per item, a few columns of equal length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Int32 = npt.NDArray[np.int32]
UInt32 = npt.NDArray[np.uint32]
Float32 = npt.NDArray[np.float32]

MAX_CHANNELS = 32


@dataclass(frozen=True, slots=True)
class Candidates:
    """Items under consideration, as columns of equal length n.

    items         int32[n], dense item indexes, never 0, no item twice
    channels      uint32[n], bit i set where the i-th channel of the pipeline recalled the item
    recall_score  float32[n], score by the first channel of those bits (channels differ in scale)
    trigger       int32[n], item that caused the recall by that first channel, 0 = none
    score         float32[n], by the scorer; NaN until scored
    """

    items: Int32
    channels: UInt32
    recall_score: Float32
    trigger: Int32
    score: Float32

    def __len__(self) -> int:
        return self.items.shape[0]

    def take(self, chosen: npt.NDArray[np.intp] | npt.NDArray[np.bool_] | slice) -> Candidates:
        """The rows at `chosen`: positions int[m] in the order wanted, a mask bool[n], or a slice."""
        return Candidates(
            self.items[chosen],
            self.channels[chosen],
            self.recall_score[chosen],
            self.trigger[chosen],
            self.score[chosen],
        )

    def with_score(self, score: Float32) -> Candidates:
        """The same rows with the column `score` float32[n] in place of the present one."""
        return Candidates(self.items, self.channels, self.recall_score, self.trigger, score)

    def followed_by(self, other: Candidates) -> Candidates:
        """These rows, then those of `other`; the caller sees to it that no item comes twice."""
        return Candidates(
            np.concatenate((self.items, other.items)),
            np.concatenate((self.channels, other.channels)),
            np.concatenate((self.recall_score, other.recall_score)),
            np.concatenate((self.trigger, other.trigger)),
            np.concatenate((self.score, other.score)),
        )


def unscored(items: Int32, channels: UInt32, recall_score: Float32, trigger: Int32) -> Candidates:
    """Candidates not yet scored: the four columns of length n given, `score` all NaN."""
    return Candidates(
        items, channels, recall_score, trigger, np.full(items.shape[0], np.nan, dtype=np.float32)
    )


def no_candidates() -> Candidates:
    """An empty candidate set."""
    return unscored(
        np.empty(0, np.int32), np.empty(0, np.uint32), np.empty(0, np.float32), np.empty(0, np.int32)
    )
