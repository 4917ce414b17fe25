"""The fusions: a new one is a file of this folder and a line here, or a plug-in."""

from __future__ import annotations

from registration.registry import Registry
from router.fusion import quota
from router.fusion.kind import FusionKind

FUSIONS: Registry[FusionKind] = Registry("fusion", "FUSIONS", {"quota": quota.FUSION}, kind=FusionKind)
