"""What surrounds the shopper: weather of their city and the alerts in force there."""

from __future__ import annotations

from environment.board import NO_SURROUNDINGS, Surroundings
from router.query_features.kind import FeatureRequest, QueryFeatureKind

NAME = "surroundings"


async def hydrate(request: FeatureRequest) -> Surroundings:
    """Of the city that the request names, else that of the profile, else the default one."""
    return request.environment.of(request.profile.get("city", ""), request.now)


FEATURE = QueryFeatureKind(
    hydrate=hydrate,
    default=NO_SURROUNDINGS,
    waits=False,
    enabled=lambda request: request.environment.configured,
    description="Weather of the shopper's city and the alerts in force there: Surroundings.",
)
