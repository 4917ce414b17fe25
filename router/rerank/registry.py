"""The rerankers: a new one is a file of this folder and a line here, or a plug-in."""

from __future__ import annotations

from registration.registry import Registry
from router.rerank import apart, dedup, discovery, diversity, popularity, scatter, templates, venues
from router.rerank.kind import RerankerKind

RERANKERS: Registry[RerankerKind] = Registry(
    "reranker",
    "RERANKERS",
    {
        "dedup": dedup.RERANKER,
        "scatter": scatter.RERANKER,
        "apart": apart.RERANKER,
        "mmr": diversity.MMR,
        "dpp": diversity.DPP,
        "discovery": discovery.RERANKER,
        "novelty": popularity.NOVELTY,
        "head_cap": popularity.HEAD_CAP,
        "templates": templates.TEMPLATES,
        "fatigue": templates.FATIGUE,
        "venues": venues.RERANKER,
    },
    kind=RerankerKind,
)
