"""The registration of a page reranker."""

from __future__ import annotations

from dataclasses import dataclass

from router.page.contract import PageReranker
from router.tables.component import ComponentKind, Parts


@dataclass(frozen=True)
class PageRerankerKind(ComponentKind[Parts, PageReranker]):
    """A registered page reranker: the last statement of its file."""

    spared_late: bool = False
    """Whether it is left out where the page is late: it spreads items, which takes long, and no more."""
