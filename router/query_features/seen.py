"""The items that the shopper's client reported as seen, with the scene of the answer that showed them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from router.query_features.kind import FeatureRequest, QueryFeatureKind
from state.user_state import scene_tag


class Seen(NamedTuple):
    """Seen items that the catalogue knows, newest first; an item seen several times is there as often."""

    items: NDArray[np.int32]
    """int32[m], dense items."""
    scenes: NDArray[np.uint32]
    """uint32[m], `scene_tag` of the scene."""
    ts: NDArray[np.int64]
    """int64[m], unix seconds."""

    def in_scene(self, scene: str) -> Seen:
        """What was seen in one scene."""
        return Seen(*(column[self.scenes == scene_tag(scene)] for column in self))


def _none() -> Seen:
    none = Seen(np.empty(0, np.int32), np.empty(0, np.uint32), np.empty(0, np.int64))
    for column in none:
        column.flags.writeable = False
    return none


async def hydrate(request: FeatureRequest) -> Seen:
    """What the shopper's state says, in the dense ids of the snapshot that answers."""
    seen = request.state.seen
    items = request.catalogue.dense_from_keys(seen.items)
    known = np.flatnonzero(items)
    return Seen(items[known], seen.scenes[known], seen.ts[known])


FEATURE = QueryFeatureKind(
    hydrate=hydrate,
    default=_none(),
    waits=False,
    description="Items that the client reported as seen, newest first: items int32[m], scenes uint32[m], ts "
    "int64[m] unix seconds.",
)
