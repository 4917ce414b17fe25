"""Counts of one arm of a rollout: fixed in size, cheap to add to, mergeable across replicas.

Shoppers, not requests, are assigned to arms, and one shopper's requests resemble each other. Counts are
therefore kept by cluster, a hash of the shopper modulo 64: their variance shows how far
the requests are from independent (see `judging/design_effect.py`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from rollout.distinct_users import PRECISION, DistinctUsers, user_hash
from rollout.errors import StatisticsError
from rollout.latency_histogram import BUCKETS, latency_bucket
from rollout.score_histogram import BINS, score_counts

CLUSTERS = 64
_CLUSTER_SHIFT = 64 - 6
Column = Literal[
    "requests",
    "errors",
    "degraded",
    "empty",
    "short",
    "impressions",
    "clicks",
    "conversions",
    "ratings",
    "dissatisfied",
]
COLUMNS: tuple[Column, ...] = (
    "requests",
    "errors",
    "degraded",
    "empty",
    "short",
    "impressions",
    "clicks",
    "conversions",
    "ratings",
    "dissatisfied",
)
_WIDTH = len(COLUMNS)
(
    _REQUESTS,
    _ERRORS,
    _DEGRADED,
    _EMPTY,
    _SHORT,
    _IMPRESSIONS,
    _CLICKS,
    _CONVERSIONS,
    _RATINGS,
    _DISSATISFIED,
) = range(_WIDTH)
_FORMAT = 2
_WIDTH_BEFORE = 8
"""Of format 1, which had no ratings."""


def cluster_of(user_id: str) -> int:
    """The shopper's cluster, 0…CLUSTERS − 1."""
    return user_hash(user_id) >> _CLUSTER_SHIFT


class ArmStatistics:
    """Requests and feedback of one arm. Not thread-safe: it belongs to one event loop.

    A shopper is named by `user_id`; for an anonymous one give a text that is different for each request, such
    as the request's id.
    """

    __slots__ = ("_counts", "_latency", "_scores", "_scores_not_finite", "_users")

    def __init__(self) -> None:
        """Begins with no counts."""
        # Adding one to an element of a list costs a third of what it costs in an array.
        self._counts = [0] * (CLUSTERS * _WIDTH)
        self._latency = np.zeros(CLUSTERS * BUCKETS, np.int64)
        self._scores = np.zeros((CLUSTERS, BINS), np.int64)
        self._scores_not_finite = 0
        self._users = DistinctUsers()

    def observe_request(
        self,
        user_id: str,
        latency_ms: float,
        *,
        shown: int,
        page_size: int,
        error: bool = False,
        degraded: bool = False,
        scores: NDArray[np.float32] | None = None,
    ) -> None:
        """Adds one request.

        latency_ms  finite, at least 0; a request that failed has one too
        shown       items of the answer, out of `page_size` wanted
        error       it failed; then neither the page nor `degraded` counts
        degraded    something did not take part in the answer
        scores      float32[n] the model gave the candidates, NaN where it gave none; None: nothing was scored

        Raises ValueError where the latency is negative or not finite.
        """
        if not 0.0 <= latency_ms < math.inf:
            raise ValueError(f"latency_ms must be finite and at least 0, got {latency_ms}")
        hashed = user_hash(user_id)
        self._users.add(hashed)
        cluster = hashed >> _CLUSTER_SHIFT
        row = cluster * _WIDTH
        counts = self._counts
        counts[row + _REQUESTS] += 1
        self._latency[cluster * BUCKETS + latency_bucket(latency_ms)] += 1
        if error:
            counts[row + _ERRORS] += 1
            return
        if degraded:
            counts[row + _DEGRADED] += 1
        if shown == 0:
            counts[row + _EMPTY] += 1
        elif shown < page_size:
            counts[row + _SHORT] += 1
        if scores is not None and scores.size:
            by_bin, not_finite = score_counts(scores)
            self._scores[cluster] += by_bin
            self._scores_not_finite += not_finite

    def observe_feedback(
        self, user_id: str, *, impressions: int = 0, clicks: int = 0, conversions: int = 0
    ) -> None:
        """Adds what a shopper did with items this arm showed: numbers of shown, opened and bought items.

        An item of one answer counts once in each, however often it is opened or bought.
        """
        row = cluster_of(user_id) * _WIDTH
        self._counts[row + _IMPRESSIONS] += impressions
        self._counts[row + _CLICKS] += clicks
        self._counts[row + _CONVERSIONS] += conversions

    def observe_rating(self, user_id: str, *, satisfied: bool) -> None:
        """Adds what a shopper said of an answer of this arm; each answer is rated once."""
        row = cluster_of(user_id) * _WIDTH
        self._counts[row + _RATINGS] += 1
        self._counts[row + _DISSATISFIED] += not satisfied

    def add(self, other: ArmStatistics) -> None:
        """Adds everything `other` has gathered, as if it had been observed here."""
        self._counts = [mine + more for mine, more in zip(self._counts, other._counts, strict=True)]
        self._latency += other._latency
        self._scores += other._scores
        self._scores_not_finite += other._scores_not_finite
        self._users.merge(other._users)

    def by_cluster(self, column: Column) -> NDArray[np.int64]:
        """int64[CLUSTERS], a column by cluster of shoppers."""
        return np.array(self._counts[COLUMNS.index(column) :: _WIDTH], np.int64)

    def total(self, column: Column) -> int:
        """The sum of a column."""
        return sum(self._counts[COLUMNS.index(column) :: _WIDTH])

    @property
    def requests(self) -> int:
        """Requests observed."""
        return self.total("requests")

    @property
    def users(self) -> int:
        """Distinct shoppers with a request, to within about 2 %."""
        return self._users.count()

    @property
    def latency(self) -> NDArray[np.int64]:
        """int64[CLUSTERS, latency_histogram.BUCKETS], requests by cluster of shoppers and latency; a copy."""
        return self._latency.reshape(CLUSTERS, BUCKETS).copy()

    @property
    def scores(self) -> NDArray[np.int64]:
        """int64[CLUSTERS, score_histogram.BINS], finite scores by cluster of shoppers; a copy."""
        return self._scores.copy()

    @property
    def scores_not_finite(self) -> int:
        """Scores that were NaN or infinite."""
        return self._scores_not_finite

    def encode(self) -> bytes:
        """Bytes that `decode` reads, 5 to 30 kB: msgpack, of histograms only what is not 0."""
        return _ENCODER.encode(
            _ArmWire(
                _FORMAT,
                self._counts,
                _sparse(self._latency),
                _sparse(self._scores.ravel()),
                self._scores_not_finite,
                bytes(self._users.registers),
            )
        )

    @classmethod
    def decode(cls, encoded: bytes) -> ArmStatistics:
        """What `encode` wrote. Raises `StatisticsError` where the bytes are not that."""
        try:
            wire = _DECODER.decode(encoded)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise StatisticsError(f"statistics of an arm cannot be read: {error}") from error
        if wire.format == 1 and len(wire.counts) == CLUSTERS * _WIDTH_BEFORE:
            wire = msgspec.structs.replace(wire, format=_FORMAT, counts=_without_ratings(wire.counts))
        sizes = (len(wire.counts), wire.latency.size, wire.scores.size, len(wire.users))
        expected = (CLUSTERS * _WIDTH, CLUSTERS * BUCKETS, CLUSTERS * BINS, 1 << PRECISION)
        if wire.format != _FORMAT or sizes != expected:
            raise StatisticsError(
                f"statistics of an arm have format {wire.format} and sizes {sizes}; "
                f"expected are {_FORMAT} and {expected}"
            )
        statistics = cls()
        statistics._counts = wire.counts
        statistics._latency = _dense(wire.latency)
        statistics._scores = _dense(wire.scores).reshape(CLUSTERS, BINS)
        statistics._scores_not_finite = wire.scores_not_finite
        statistics._users = DistinctUsers(wire.users)
        return statistics

    def __eq__(self, other: object) -> bool:
        """Whether both have the same counts."""
        return isinstance(other, ArmStatistics) and self.encode() == other.encode()

    __hash__ = None  # type: ignore[assignment]


def merged(parts: Iterable[ArmStatistics]) -> ArmStatistics:
    """What several replicas have gathered together; the parts are left as they are."""
    together = ArmStatistics()
    for part in parts:
        together.add(part)
    return together


class _Sparse(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """`size` counts, all 0 but those at rising `positions`."""

    size: int
    positions: list[int]
    values: list[int]


class _ArmWire(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    format: int
    counts: list[int]
    latency: _Sparse
    scores: _Sparse
    scores_not_finite: int
    users: bytes


def _without_ratings(counts: list[int]) -> list[int]:
    """Counts of format 1, with no ratings in each cluster."""
    before = np.array(counts, np.int64).reshape(CLUSTERS, _WIDTH_BEFORE)
    ratings = np.zeros((CLUSTERS, _WIDTH - _WIDTH_BEFORE), np.int64)
    return np.concatenate((before, ratings), axis=1).ravel().tolist()


def _sparse(counts: NDArray[np.int64]) -> _Sparse:
    positions = np.flatnonzero(counts)
    return _Sparse(counts.size, positions.tolist(), counts[positions].tolist())


def _dense(sparse: _Sparse) -> NDArray[np.int64]:
    """Raises `StatisticsError` where a position is not one of the counts."""
    counts = np.zeros(sparse.size, np.int64)
    try:
        counts[np.array(sparse.positions, np.intp)] = sparse.values
    except (IndexError, ValueError) as error:
        raise StatisticsError(f"statistics of an arm cannot be read: {error}") from error
    return counts


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_ArmWire)
