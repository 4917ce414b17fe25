"""How many of the stable version's best items are among the candidate's best."""

from __future__ import annotations

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

from rollout.arm_statistics import CLUSTERS, cluster_of
from rollout.errors import StatisticsError

_FORMAT = 1


class Overlap:
    """Overlaps, each 0…1, of requests scored by both versions; by cluster of shoppers, as in `ArmStatistics`.

    One shopper's requests have much the same candidates and history, so their overlaps resemble each other.
    """

    __slots__ = ("_counts", "_totals")

    def __init__(self) -> None:
        """Begins without requests."""
        self._totals = [0.0] * CLUSTERS
        self._counts = [0] * CLUSTERS

    def observe(self, user_id: str, overlap: float) -> None:
        """Adds one request's overlap (see `top_k_overlap`). Raises ValueError beyond 0…1.

        user_id  its shopper; for an anonymous one any text that is different for each request
        """
        if not 0.0 <= overlap <= 1.0:
            raise ValueError(f"an overlap is a share from 0 to 1, got {overlap}")
        cluster = cluster_of(user_id)
        self._totals[cluster] += overlap
        self._counts[cluster] += 1

    def add(self, other: Overlap) -> None:
        """Adds everything `other` has gathered."""
        self._totals = [mine + more for mine, more in zip(self._totals, other._totals, strict=True)]
        self._counts = [mine + more for mine, more in zip(self._counts, other._counts, strict=True)]

    @property
    def totals(self) -> NDArray[np.float64]:
        """float64[CLUSTERS], sums of overlaps; a copy."""
        return np.array(self._totals, np.float64)

    @property
    def counts(self) -> NDArray[np.int64]:
        """int64[CLUSTERS], requests; a copy."""
        return np.array(self._counts, np.int64)

    @property
    def count(self) -> int:
        """Requests observed."""
        return sum(self._counts)

    def mean(self) -> float:
        """The mean overlap, NaN where there is none."""
        return math.fsum(self._totals) / self.count if self.count else math.nan

    def encode(self) -> bytes:
        """Bytes that `decode` reads, about 0.6 kB."""
        return msgspec.msgpack.encode(_OverlapWire(_FORMAT, self._totals, self._counts))

    @classmethod
    def decode(cls, encoded: bytes) -> Overlap:
        """What `encode` wrote. Raises `StatisticsError` where the bytes are not that."""
        try:
            wire = msgspec.msgpack.decode(encoded, type=_OverlapWire)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise StatisticsError(f"overlaps of two versions cannot be read: {error}") from error
        sizes = (len(wire.totals), len(wire.counts))
        if wire.format != _FORMAT or sizes != (CLUSTERS, CLUSTERS):
            raise StatisticsError(
                f"overlaps of two versions cannot be read: they have format {wire.format} and sizes {sizes}; "
                f"expected are {_FORMAT} and {CLUSTERS} of each"
            )
        overlap = cls()
        overlap._totals, overlap._counts = wire.totals, wire.counts
        return overlap


class _OverlapWire(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    format: int
    totals: list[float]
    counts: list[int]


def top_k_overlap(stable: NDArray[np.float32], candidate: NDArray[np.float32], k: int) -> float:
    """Share of the k best candidates by the stable scores that are among the k best by the candidate's.

    stable, candidate  float32[n], two versions' scores of the same n > 0 candidates; NaN sinks to the end

    Ties go to the earlier position. With n ≤ k it is the share of agreeing positions among all n: the sets
    alone would always be equal. Raises ValueError where the lengths differ or n is 0.
    """
    if stable.shape != candidate.shape or not stable.size:
        raise ValueError(
            f"scores of the same candidates are expected, got {stable.size} and {candidate.size}"
        )
    best, also = _order(stable), _order(candidate)
    if stable.size <= k:
        return float(np.mean(best == also))
    return np.intersect1d(best[:k], also[:k], assume_unique=True).size / k


def _order(scores: NDArray[np.float32]) -> NDArray[np.intp]:
    return np.argsort(-scores, kind="stable")
