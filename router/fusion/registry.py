"""The fusions: a new one is a file of this folder and a line here, or a plug-in."""

from __future__ import annotations

from registration.registry import Registry
from router.fusion import quota, reciprocal_rank
from router.fusion.kind import FusionKind

FUSIONS: Registry[FusionKind] = Registry(
    "fusion",
    "FUSIONS",
    {"quota": quota.FUSION, "reciprocal_rank": reciprocal_rank.FUSION},
    kind=FusionKind,
)
