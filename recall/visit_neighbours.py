"""Items of the visits that resemble what the shopper did lately: how visit_knn and user_knn answer.

V-SKNN (Ludewig and Jannach, UMUAI 2018) with the three decays of STAN (Garg et al., SIGIR 2019). With w_i the
weight of the shopper's item i (`recall.evidence`) and r_i its rarity log((1 + V) / (1 + visits with i)) + 1:

    sim(v)   = Σ over the items i in both  w_i · r_i^ρ  / |v|^β · 2^(−age(v) / half-life)
    score(j) = Σ over the m nearest visits v with j  sim(v) · exp(−|place of j − place of i*| / λ) · r_j^τ

i* is the shopper's latest item in v. Each item is looked up in its newest visits only, so what a request
costs does not grow with the log.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipeline.stages import EMPTY_RECALL
from recall.channel import OptionalChannelSettings, Recalled
from recall.evidence import EvidenceSettings, evidence_of
from recall.merge import merge_by_item
from recall.query import Query
from recall.visit_index import VisitIndex
from snapshot.catalogue import Catalogue


class VisitNeighbourSettings(EvidenceSettings, OptionalChannelSettings):
    """How visits are found and compared, and how their items are scored."""

    history_items: int = Field(
        default=20,
        ge=1,
        le=200,
        description="Latest distinct items of the shopper that count; the time of a request grows with it.",
    )
    visits_per_item: int = Field(
        default=500,
        ge=1,
        le=100_000,
        description="Newest visits in which an item is looked up; the time of a request grows with it.",
    )
    neighbours: int = Field(default=200, ge=1, le=10_000, description="m: most similar visits that count.")
    rarity_exponent: float = Field(
        default=4.0, ge=0, le=10, description="ρ: how much more a rare shared item says of a visit."
    )
    length_exponent: float = Field(
        default=0.25, ge=0, le=1, description="β: how much less a long visit resembles; 0.5 as in a cosine."
    )
    visit_half_life_days: float = Field(
        default=90.0, gt=0, description="Age in days at which a visit counts half."
    )
    place_scale: float = Field(
        default=8.0,
        gt=0,
        description="λ: places between an item and the shared one, within a visit, after which it counts "
        "1/e.",
    )
    target_rarity_exponent: float = Field(
        default=2.0, ge=0, le=4, description="τ: how much more a rare item is recalled."
    )


class VisitNeighbours:
    """Looks the shopper's latest items up in the newest visits with each, and sums over the nearest."""

    def __init__(self, index: VisitIndex, catalogue: Catalogue, settings: VisitNeighbourSettings) -> None:
        """`index` holds the visits that are compared."""
        self._index = index
        self._settings = settings
        rarity = np.log((1 + len(index.age_days)) / (1 + np.asarray(index.frequency, np.float64))) + 1
        self._says = (rarity**settings.rarity_exponent).astype(np.float32)
        # What is out of stock may still tell which visits are alike.
        self._wanted = np.where(catalogue.in_stock, rarity**settings.target_rarity_exponent, 0).astype(
            np.float32
        )
        self._fresh = np.exp2(-index.age_days / settings.visit_half_life_days).astype(np.float32)

    def recall(self, query: Query, k: int) -> Recalled:
        """The k items of the nearest visits; each names the shopper's item by which its best visit was found.

        Empty without a history, or where none of it is in any visit.
        """
        items, weights = evidence_of(query, self._settings)
        visits, places, source = self._index.with_items(items)
        if not len(visits):
            return EMPTY_RECALL
        near, similarity, first = self._nearest(visits, (weights * self._says[items])[source])
        found, found_places, of_visit = self._index.contents(near)
        apart = np.abs(found_places - places[first][of_visit])
        scores = similarity[of_visit] * np.exp(-apart / np.float32(self._settings.place_scale))
        scores = (scores * self._wanted[found]).astype(np.float32)
        counting = np.flatnonzero(scores > 0)
        causes = items[source[first]][of_visit]
        return merge_by_item(found[counting], scores[counting], causes[counting], k, "sum")

    def _nearest(
        self, visits: NDArray[np.int32], weights: NDArray[np.float32]
    ) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int64]]:
        """The distinct visits that are most similar.

        Args:
            visits: int32[m], a visit once for each item it shares, the shopper's latest item first.
            weights: float32[m], what the shared item says.

        Returns:
            The visits int32[n], their similarities float32[n] above 0, and the position of the first of its
            entries, int64[n].
        """
        # A visit and a position in one integer sort several times faster than by a stable argsort.
        keys = np.sort((visits.astype(np.int64) << 32) | np.arange(len(visits)))
        grouped, at = (keys >> 32).astype(np.int32), keys & 0xFFFFFFFF
        starts = np.flatnonzero(np.r_[True, grouped[1:] != grouped[:-1]])
        distinct = grouped[starts]
        length = self._index.visit_ends[distinct + 1] - self._index.visit_ends[distinct]
        similarity = np.add.reduceat(weights[at], starts) * self._fresh[distinct]
        similarity /= length.astype(np.float32) ** np.float32(self._settings.length_exponent)
        count = self._settings.neighbours
        best = np.arange(len(distinct))
        if len(distinct) > count:
            best = np.sort(np.argpartition(similarity, -count)[-count:])
        return distinct[best], similarity[best], at[starts[best]]

    @classmethod
    def open(cls, folder: Path, catalogue: Catalogue, settings: VisitNeighbourSettings) -> VisitNeighbours:
        """Memory-map an index. Raises SnapshotError where it is torn or does not fit the catalogue."""
        return cls(VisitIndex.open(folder, catalogue.size), catalogue, settings)
