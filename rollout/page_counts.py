"""How many requests were too different by two versions: in all and by group, mergeable across replicas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from rollout.arm_statistics import CLUSTERS, cluster_of
from rollout.errors import StatisticsError
from rollout.page_difference import BOUNDS

MAX_GROUPS = 96
"""Groups that one replica distinguishes; a request of a further one counts in its other groups and in all."""
_FORMAT = 1


class GroupCounts(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """Requests of a group, and those of them beyond a bound, by cluster of shoppers as in `ArmStatistics`."""

    outside: list[int]
    requests: list[int]


class PageCounts:
    """Requests scored by both versions. Belongs to one event loop."""

    __slots__ = ("_all", "_by_bound", "_groups")

    def __init__(self) -> None:
        """Begins without requests."""
        self._all = _none()
        self._groups: dict[str, GroupCounts] = {}
        self._by_bound = [0] * len(BOUNDS)

    def observe(self, user_id: str, groups: Iterable[str], beyond: Sequence[bool]) -> None:
        """Adds one request.

        user_id  its shopper; for an anonymous one any text that is different for each request
        groups   that it belongs to (see `request_groups.groups_of`)
        beyond   for each of `BOUNDS`, whether the request is beyond it
        """
        cluster = cluster_of(user_id)
        outside = int(any(beyond))
        for position, one in enumerate(beyond):
            self._by_bound[position] += int(one)
        for counts in (self._all, *self._counts_of(groups)):
            counts.requests[cluster] += 1
            counts.outside[cluster] += outside

    def add(self, other: PageCounts) -> None:
        """Adds everything `other` has gathered."""
        self._by_bound = _sum(self._by_bound, other._by_bound)
        self._all = _joined(self._all, other._all)
        for name, counts in other._groups.items():
            self._groups[name] = _joined(self._groups.get(name, _none()), counts)

    @property
    def count(self) -> int:
        """Requests observed."""
        return sum(self._all.requests)

    @property
    def outside(self) -> int:
        """Those of them beyond a bound."""
        return sum(self._all.outside)

    @property
    def by_bound(self) -> Mapping[str, int]:
        """Name of a bound → requests beyond it; a request may be beyond several."""
        return dict(zip(BOUNDS, self._by_bound, strict=True))

    @property
    def whole(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(requests beyond a bound, requests), int64[CLUSTERS] each, by cluster of shoppers."""
        return _arrays(self._all)

    @property
    def groups(self) -> Mapping[str, tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """The same of every group, by its name."""
        return {name: _arrays(counts) for name, counts in sorted(self._groups.items())}

    def encode(self) -> bytes:
        """Bytes that `decode` reads, some 130 for each group and 130 more."""
        return msgspec.msgpack.encode(_PageWire(_FORMAT, self._by_bound, self._all, self._groups))

    @classmethod
    def decode(cls, encoded: bytes) -> PageCounts:
        """What `encode` wrote. Raises `StatisticsError` where the bytes are not that."""
        try:
            wire = msgspec.msgpack.decode(encoded, type=_PageWire)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise StatisticsError(
                f"counts of requests scored by both versions cannot be read: {error}"
            ) from error
        sizes = {
            len(column)
            for counts in (wire.all, *wire.groups.values())
            for column in msgspec.structs.astuple(counts)
        }
        if wire.format != _FORMAT or sizes != {CLUSTERS} or len(wire.by_bound) != len(BOUNDS):
            raise StatisticsError(
                f"counts of requests scored by both versions have format {wire.format} and sizes "
                f"{sorted(sizes)}; expected are {_FORMAT} and {CLUSTERS}"
            )
        counts = cls()
        counts._all, counts._groups, counts._by_bound = wire.all, wire.groups, wire.by_bound
        return counts

    def _counts_of(self, groups: Iterable[str]) -> list[GroupCounts]:
        for name in groups:
            if name not in self._groups and len(self._groups) < MAX_GROUPS:
                self._groups[name] = _none()
        return [self._groups[name] for name in groups if name in self._groups]


class _PageWire(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    format: int
    by_bound: list[int]
    all: GroupCounts
    groups: dict[str, GroupCounts]


def _none() -> GroupCounts:
    return GroupCounts([0] * CLUSTERS, [0] * CLUSTERS)


def _joined(one: GroupCounts, other: GroupCounts) -> GroupCounts:
    return GroupCounts(_sum(one.outside, other.outside), _sum(one.requests, other.requests))


def _sum(one: list[int], other: list[int]) -> list[int]:
    return [mine + more for mine, more in zip(one, other, strict=True)]


def _arrays(counts: GroupCounts) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return np.array(counts.outside, np.int64), np.array(counts.requests, np.int64)
