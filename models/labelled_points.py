"""Sample points beside the candidates that a network learns to order, or is measured by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.negatives import NegativeSampler
from models.samples import SamplePoints


@dataclass(frozen=True, slots=True)
class LabelledPoints:
    """Sample points with their candidates: items int32[S, C], 0 = none; labels float32[S, C].

    weights: float32[S, C], how much each candidate counts; None = 1 each.
    """

    points: SamplePoints
    items: np.ndarray
    labels: np.ndarray
    weights: np.ndarray | None = None

    def part(self, rows: slice) -> LabelledPoints:
        """Some of the points, in their order."""
        weights = None if self.weights is None else self.weights[rows]
        points = self.points.select(np.arange(len(self.points))[rows])
        return LabelledPoints(points, self.items[rows], self.labels[rows], weights)

    def weight(self) -> float:
        """What all candidates weigh together."""
        present = self.items > 0
        return float(present.sum() if self.weights is None else self.weights[present].sum())


def with_candidates(
    points: SamplePoints, sampler: NegativeSampler, negatives: int, rng: np.random.Generator
) -> LabelledPoints:
    """Puts each point's positives and freshly drawn negatives side by side.

    Negatives count as the mean of their point's positives, so that a rule on shoppers or times moves no rate.
    """
    drawn = sampler.draw(points, negatives, rng)
    items = np.concatenate((points.positives, drawn), axis=1)
    labels = np.zeros(items.shape, dtype=np.float32)
    labels[:, : points.positives.shape[1]] = 1
    if points.weights is None:
        return LabelledPoints(points, items, labels)
    negative = np.repeat(points.mean_weights()[:, None], drawn.shape[1], axis=1)
    return LabelledPoints(points, items, labels, np.concatenate((points.weights, negative), axis=1))
