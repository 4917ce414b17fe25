"""Svd: factors of the behaviour scores with biases, SVD and SVD++ in one plain form. A plain reference form.

    r(u, i) = μ + b_u + b_i + q_i · (p_u + |N(u)|^(−1/2) · Σ over j in N(u)  y_j)

(Koren, KDD 2008; without the y_j, `implicit_items: false`, it is the SVD of Koren, Bell and Volinsky, 2009).
r is the behaviour score of a pair in parts of the highest, and 0 for pairs drawn of what the shopper did not
take. Factors are trained offline by Adam; a shopper is folded in per request: p_u is the ridge regression of
1 for each of the latest items on their q_i, weighted by `recall.evidence`, so that what was done a second ago
counts. b_u and μ move no item past another.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.stages import EMPTY_RECALL
from recall.channel import BuildSource, ChannelKind, Recalled, Services
from recall.evidence import evidence_of
from recall.listed_items import open_items
from recall.merge import top_positions
from recall.query import Query
from recall.svd_settings import SvdSettings
from recall.vector_index import open_vectors, write_vectors
from snapshot.catalogue import Catalogue
from snapshot.columns import load_column, save_column

NAME = "svd"
ITEMS, SHOWABLE, FACTORS, TAKEN, BIAS = "items", "showable", "factors", "taken_factors", "bias"


class Svd:
    """Folds the shopper in and compares every item."""

    name = NAME

    def __init__(
        self,
        items: NDArray[np.int32],
        factors: NDArray[np.float32],
        taken: NDArray[np.float32],
        bias: NDArray[np.float32],
        showable: NDArray[np.bool_],
        settings: SvdSettings,
    ) -> None:
        """`items`: int32[m], ascending; q and y float32[m, D], b float32[m]; `showable`: those in stock."""
        self._items, self._factors, self._taken, self._bias = items, factors, taken, bias
        self._showable = showable
        self._settings = settings

    async def recall(self, query: Query, k: int) -> Recalled:
        """The k items of the highest predicted scores, without μ and b_u; triggers as `matrix_factors` has.

        Empty without a history that has factors.
        """
        causes, weights = evidence_of(query, self._settings)
        at = np.minimum(np.searchsorted(self._items, causes), len(self._items) - 1)
        known = self._items[at] == causes
        causes, weights, at = causes[known], weights[known].astype(np.float64), at[known]
        if not at.size or k <= 0:
            return EMPTY_RECALL
        q, y = self._factors[at].astype(np.float64), self._taken[at].sum(axis=0) / np.sqrt(at.size)
        missing = 1.0 - self._bias[at] - q @ y
        left = (q.T * weights) @ q + self._settings.fold_in * np.eye(q.shape[1])
        shopper = (y + np.linalg.solve(left, (q.T * weights) @ missing)).astype(np.float32)
        scores = self._bias + self._factors @ shopper
        shown = np.flatnonzero(self._showable)
        best = shown[top_positions(scores[shown], self._items[shown], k)]
        nearest = np.argmax(self._factors[best] @ q.T.astype(np.float32), axis=1)
        return Recalled(self._items[best], scores[best].astype(np.float32), causes[nearest])


def build(source: BuildSource, folder: Path, settings: SvdSettings) -> dict[str, int]:
    """Train and write the factors; returns how many items have some.

    Raises NothingToRecall where no shopper took two items.
    """
    from recall.svd_build import trained
    from recall.taken_matrix import TakenMatrix

    taken = TakenMatrix.of(source, settings.max_items, settings.items_per_user)
    factors, of_taken, bias = trained(taken.scores, settings, source.seed)
    save_column(folder, ITEMS, taken.items)
    save_column(folder, SHOWABLE, np.asarray(source.catalogue.in_stock[taken.items], np.bool_))
    save_column(folder, BIAS, bias)
    write_vectors(folder, FACTORS, factors)
    write_vectors(folder, TAKEN, of_taken)
    return {ITEMS: len(taken.items)}


def open_channel(folder: Path, catalogue: Catalogue, services: Services, settings: SvdSettings) -> Svd:
    """Memory-map the files of `build`. Raises SnapshotError where they are torn or do not fit each other."""
    items = open_items(folder, ITEMS, catalogue)
    showable = load_column(folder, SHOWABLE, np.dtype(np.bool_), len(items))
    bias = load_column(folder, BIAS, np.dtype(np.float32), len(items))
    factors, taken = (open_vectors(folder, name, len(items)) for name in (FACTORS, TAKEN))
    return Svd(items, factors, taken, bias, showable, settings)


CHANNEL = ChannelKind(settings=SvdSettings, build=build, open=open_channel, waits=False)
