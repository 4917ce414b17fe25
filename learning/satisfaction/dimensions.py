"""What a rating is about: names by the numbers of `RatingDimension` in `feedback.proto`."""

from __future__ import annotations

from collections.abc import Mapping

from protos.shopfront.v1 import feedback_pb2

_PREFIX = "RATING_DIMENSION_"

DIMENSIONS: Mapping[int, str] = {
    number: name.removeprefix(_PREFIX).lower()
    for name, number in feedback_pb2.RatingDimension.items()
    if number
}
"""Number → relevance, variety, price, delivery, service."""

SATISFIED = 4
"""Ratings from here on count as satisfied (customer satisfaction score: the top two of five)."""
DETRACTOR = 2
"""Ratings up to here count as those of a detractor."""
