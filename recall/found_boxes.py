"""Boxes of things in a picture, with confidences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class FoundBoxes:
    """n boxes.

    Attributes:
        edges: float32[n, 4]: left, top, right, bottom, in shares 0…1 of the picture's sides.
        confidence: float32[n], 0…1.
    """

    edges: NDArray[np.float32]
    confidence: NDArray[np.float32]

    def __len__(self) -> int:
        """The number of boxes n."""
        return len(self.edges)

    def take(self, rows: NDArray[np.int64]) -> FoundBoxes:
        """The boxes at the rows int64[m], in that order."""
        return FoundBoxes(self.edges[rows], self.confidence[rows])

    def best_first(self) -> FoundBoxes:
        """The surest first."""
        return self.take(np.argsort(-self.confidence, kind="stable"))

    def without_overlap(self, most: int, overlap: float) -> FoundBoxes:
        """The surest first, at most `most`, none of which overlaps a surer one by more than `overlap` (IoU).

        Greedy non-maximum suppression.
        """
        left = np.argsort(-self.confidence, kind="stable")
        kept: list[int] = []
        while len(left) and len(kept) < most:
            kept.append(int(left[0]))
            shared = overlaps(self.edges[left[:1]], self.edges[left[1:]])[0]
            left = left[1:][shared <= overlap]
        return self.take(np.array(kept, np.int64))


def overlaps(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of each of float32[n, 4] with each of float32[m, 4], float32[n, m]."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.maximum(high - low, 0).prod(axis=2)
    areas = [np.maximum(each[:, 2:] - each[:, :2], 0).prod(axis=1) for each in (first, second)]
    union = areas[0][:, None] + areas[1][None, :] - shared
    return np.asarray(shared / np.maximum(union, 1e-9), np.float32)
