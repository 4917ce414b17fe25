"""Every reranker by name. A new one is a file beside this one and a line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from pydantic import BaseModel

from foundation.registry import Registry
from pipeline.stages import Reranker
from recall.query import Query
from router.rerank import dedup, scatter
from snapshot.catalogue import Catalogue


class RerankerKind(NamedTuple):
    """The settings a reranker takes and how it is built: build(catalogue, settings)."""

    settings: type[BaseModel]
    build: Callable[[Catalogue, Any], Reranker[Query]]


RERANKERS: Registry[RerankerKind] = Registry(
    "reranker",
    "RERANKERS",
    {
        "dedup": RerankerKind(dedup.DedupSettings, dedup.build),
        "scatter": RerankerKind(scatter.ScatterSettings, scatter.build),
    },
)
