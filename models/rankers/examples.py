"""Candidates to order, with their grades: what every ranker learns from and is measured by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.class_weights import ClassWeightSettings, class_weights
from models.interaction_log import InteractionLog
from models.item_features import ItemFeatures
from models.labelled_points import LabelledPoints

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """n candidates of q queries; a query is a search, or a shopper at a moment.

    inputs    float32[n, F], finite
    grades    int64[n], 0 = not relevant, higher is better
    query     int64[n], 0…q − 1, ascending: a query's candidates are one stretch
    unit      int64[q], what queries are drawn by for intervals: the shopper, or the query itself
    labelled  the same candidates by point, for networks of ids; None where there are no shoppers
    moment    int64[q], unix seconds of each query; None where they are not known
    counts    float32[n], what each counts as a sample; None: 1 each
    """

    inputs: Float32
    grades: NDArray[np.int64]
    query: NDArray[np.int64]
    unit: NDArray[np.int64]
    labelled: LabelledPoints | None = None
    moment: NDArray[np.int64] | None = None
    counts: Float32 | None = None

    @property
    def offsets(self) -> NDArray[np.int64]:
        """int64[q + 1]: the candidates of query i are offsets[i]…offsets[i + 1]."""
        return np.searchsorted(self.query, np.arange(self.unit.size + 1))

    @property
    def relevant(self) -> NDArray[np.bool_]:
        """bool[n]: of the best grade that there is, for rankers that know two grades."""
        return np.asarray(self.grades == self.grades.max())

    @property
    def sizes(self) -> NDArray[np.int64]:
        """int64[q], candidates of each query."""
        return np.diff(self.offsets)

    def weights(self, settings: ClassWeightSettings) -> Float32 | None:
        """float32[n], of mean 1: of their classes, times `counts`; None where all are alike.

        ValueError where they are to follow a drift and no moment is known.
        """
        if settings == ClassWeightSettings():
            return None if self.counts is None else self.counts / self.counts.mean()
        if self.moment is None:
            if settings.follow_drift:
                raise ValueError("these examples have no time, so weights cannot follow a drift")
            ts = np.zeros(self.grades.size, np.int64)
        else:
            ts = self.moment[self.query]
        found = class_weights(self.relevant, ts, settings)
        if self.counts is None:
            return found
        counted = found * self.counts
        return np.asarray(counted / counted.mean(), np.float32)

    @classmethod
    def together(cls, parts: Sequence[Examples]) -> Examples:
        """The parts one after another, without `labelled` and `counts`; their queries stay apart."""
        before = np.cumsum([0, *(part.unit.size for part in parts[:-1])])
        return cls(
            np.concatenate([part.inputs for part in parts]),
            np.concatenate([part.grades for part in parts]),
            np.concatenate([part.query + first for part, first in zip(parts, before.tolist(), strict=True)]),
            np.concatenate([part.unit for part in parts]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class LearningRanges:
    """Examples to learn from and to choose by, which share no query."""

    train: Examples
    valid: Examples


@dataclass(frozen=True, slots=True, eq=False)
class Ranges(LearningRanges):
    """Beside these the examples to be measured by, which share no query with them.

    names           of the inputs
    log, features, profile_counts  of the shop, for networks of ids; None, empty where there are no shoppers
    spare           int32[S, P], further negatives of each training point, likewise
    """

    test: Examples
    names: tuple[str, ...]
    log: InteractionLog | None = None
    features: ItemFeatures | None = None
    profile_counts: tuple[int, ...] = ()
    spare: NDArray[np.int32] | None = None
