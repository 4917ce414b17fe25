"""The items that the shopper was shown lately."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from router.query_features.kind import FeatureRequest, QueryFeatureKind


class Impressions(NamedTuple):
    """Served items that the catalogue knows, newest first; an item served several times is there as often."""

    items: NDArray[np.int32]
    """int32[m], dense items."""
    ts: NDArray[np.int64]
    """int64[m], unix seconds."""


def _none() -> Impressions:
    none = Impressions(np.empty(0, np.int32), np.empty(0, np.int64))
    for column in none:
        column.flags.writeable = False
    return none


async def hydrate(request: FeatureRequest) -> Impressions:
    """The impressions of the shopper's state, in the dense ids of the snapshot that answers."""
    impressions = request.state.impressions
    items = request.catalogue.dense_from_keys(impressions.items)
    known = np.flatnonzero(items)
    return Impressions(items[known], impressions.ts[known])


FEATURE = QueryFeatureKind(
    hydrate=hydrate,
    default=_none(),
    waits=False,
    description="Items served to the shopper, newest first: items int32[m], ts int64[m] unix seconds.",
)
