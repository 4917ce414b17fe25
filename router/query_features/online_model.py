"""The published version of the online ranker; one without weights where there is none."""

from __future__ import annotations

from router.query_features.kind import FeatureRequest, QueryFeatureKind
from state.live_model.weights import NO_MODEL, OnlineModel


async def hydrate(request: FeatureRequest) -> OnlineModel:
    """The last good version, the same for every scene of the request."""
    return request.live.model


FEATURE = QueryFeatureKind(
    hydrate=hydrate,
    default=NO_MODEL,
    waits=False,
    description="The published version of the online ranker: OnlineModel, which gives rows their log-odds.",
    from_learner=True,
)
