"""The registration of a page reranker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from router.page.contract import PageReranker
from snapshot.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class PageRerankerKind:
    """The settings that a page reranker takes, and how it is created: create(catalogue, settings)."""

    settings: type[BaseModel]
    create: Callable[[Catalogue, Any], PageReranker]
