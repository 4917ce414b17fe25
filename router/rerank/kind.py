"""The registration of a reranker."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.stages import Reranker
from recall.query import Query
from router.tables.component import ComponentKind, Parts


@dataclass(frozen=True)
class RerankerKind(ComponentKind[Parts, Reranker[Query]]):
    """A reranker's settings, how it is created, and the tables and query features it reads."""

    spared_late: bool = False
    """Whether it is left out where its page is late, as `Pipeline.spared_late`."""
