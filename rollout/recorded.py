"""The last few requests of this replica, to compare a candidate with the stable version on."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

from pipeline.candidates import Candidates
from recall.query import Query


@dataclass(frozen=True, slots=True)
class Recorded:
    """A query and the candidates that were scored for it."""

    query: Query
    candidates: Candidates

    def query_for(self, model: str, version: int) -> Query:
        """The query, to be scored by one version of a model."""
        return replace(self.query, model_versions={model: str(version)}, arms={}, rollout=None)


class RecordedRequests:
    """A ring of references, a few kilobytes each; nothing is copied and nothing leaves the process."""

    def __init__(self, size: int) -> None:
        """`size`: requests kept at most."""
        self._ring: deque[Recorded] = deque(maxlen=size)

    def keep(self, query: Query, candidates: Candidates) -> None:
        """Keeps a request, and drops the oldest where there are too many."""
        self._ring.append(Recorded(query, candidates))

    def recent(self) -> list[Recorded]:
        """The kept requests, oldest first."""
        return list(self._ring)

    def forget(self) -> None:
        """Drops all: in another data set the item ids mean other items."""
        self._ring.clear()
