"""The query features: a new one is a file beside this one and a line here, or a plug-in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from registration.registry import Registry
from router.query_features import impressions
from router.query_features.kind import QueryFeatureKind


def _fault(name: str, kind: QueryFeatureKind[Any], kinds: Mapping[str, QueryFeatureKind[Any]]) -> str | None:
    if not kind.timeout_ms > 0:
        return f"has the timeout_ms {kind.timeout_ms}; it must be above 0"
    return None


QUERY_FEATURES: Registry[QueryFeatureKind[Any]] = Registry(
    "query feature", "QUERY_FEATURES", {"impressions": impressions.FEATURE}, _fault
)
