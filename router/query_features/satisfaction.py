"""The published model of satisfaction; one that knows nothing where there are too few ratings."""

from __future__ import annotations

from router.query_features.kind import FeatureRequest, QueryFeatureKind
from state.live_model.satisfaction import NO_SATISFACTION, SatisfactionModel


async def hydrate(request: FeatureRequest) -> SatisfactionModel:
    """The version that is published now, the same for every scene of the request."""
    return request.live.satisfaction


FEATURE = QueryFeatureKind(
    hydrate=hydrate,
    default=NO_SATISFACTION,
    waits=False,
    description="The published model of satisfaction: SatisfactionModel, which gives items their log-odds.",
    from_learner=True,
)
