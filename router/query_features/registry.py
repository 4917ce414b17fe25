"""The query features: a new one is a file beside this one and a line here, or a plug-in."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

from recall.fresh_trials import FEATURE as FRESH_TRIALS
from registration.registry import Registry
from router.fusion.modulated import FEATURE as CHANNEL_RATES
from router.query_features import (
    channel_rates,
    feedback,
    fresh_trials,
    impressions,
    live_counters,
    online_model,
    satisfaction,
    seen,
    surroundings,
)
from router.query_features.kind import QueryFeatureKind


def _fault(name: str, kind: QueryFeatureKind[Any], kinds: Mapping[str, QueryFeatureKind[Any]]) -> str | None:
    if not kind.timeout_ms > 0:
        return f"has the timeout_ms {kind.timeout_ms}; it must be above 0"
    if not inspect.iscoroutinefunction(kind.hydrate):
        return "reads its value by a function that cannot be awaited; define `async def hydrate(request)`"
    if isinstance(kind.default, (list, dict, set, bytearray)) or (
        isinstance(kind.default, np.ndarray) and kind.default.flags.writeable
    ):
        return (
            f"has a {type(kind.default).__name__} that can be changed as its default, which all queries "
            "share; use a tuple, a MappingProxyType, a frozenset or a read-only array"
        )
    return None


QUERY_FEATURES: Registry[QueryFeatureKind[Any]] = Registry(
    "query feature",
    "QUERY_FEATURES",
    {
        "impressions": impressions.FEATURE,
        "feedback": feedback.FEATURE,
        "live_counters": live_counters.FEATURE,
        "online_model": online_model.FEATURE,
        "satisfaction": satisfaction.FEATURE,
        "seen": seen.FEATURE,
        FRESH_TRIALS: fresh_trials.FEATURE,
        surroundings.NAME: surroundings.FEATURE,
        CHANNEL_RATES: channel_rates.FEATURE,
    },
    _fault,
    kind=QueryFeatureKind,
)
