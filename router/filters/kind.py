"""The registration of a filter."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.stages import Filter
from recall.query import Query
from router.tables.component import ComponentKind, Parts


@dataclass(frozen=True)
class FilterKind(ComponentKind[Parts, Filter[Query]]):
    """A filter's settings, how it is created, and the tables and query features it reads."""
