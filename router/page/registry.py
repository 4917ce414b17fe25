"""Every page reranker by name. A new one is a file beside this one and a line here."""

from __future__ import annotations

from registration.registry import Registry
from router.page import no_repeats, scatter
from router.page.page_reranker_kind import PageRerankerKind

PAGE_RERANKERS: Registry[PageRerankerKind] = Registry(
    "page reranker",
    "PAGE_RERANKERS",
    {"scatter": scatter.PAGE_RERANKER, "no_repeats": no_repeats.PAGE_RERANKER},
    kind=PageRerankerKind,
)
