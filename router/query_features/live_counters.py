"""What shoppers do now, as the learner counts it; empty in a shop without one."""

from __future__ import annotations

from router.query_features.kind import FeatureRequest, QueryFeatureKind
from state.live_counters.live_counters import NO_COUNTERS, LiveCounters


async def hydrate(request: FeatureRequest) -> LiveCounters:
    """The tables that are published now, the same for every scene of the request."""
    return request.live.counters


FEATURE = QueryFeatureKind(
    hydrate=hydrate,
    default=NO_COUNTERS,
    waits=False,
    description="Decayed counts of impressions, clicks, views and purchases (1 h, 1 d, 7 d) by the kinds of "
    "`state/live_counters/kinds.py`: LiveCounters, asked for items.",
    from_learner=True,
)
