"""How well each recall channel's items do with shoppers, as the learner measures it."""

from __future__ import annotations

from router.query_features.kind import FeatureRequest, QueryFeatureKind
from state.channel_rates.rates import NO_RATES, ChannelRates


async def hydrate(request: FeatureRequest) -> ChannelRates:
    """The version that is published now, the same for every scene of the request."""
    return request.live.channel_rates


FEATURE = QueryFeatureKind(
    hydrate=hydrate,
    default=NO_RATES,
    waits=False,
    description="Click and purchase rates of recall channels by scene and segment: ChannelRates. Read where "
    "a scene has `modulation`.",
    from_learner=True,
)
