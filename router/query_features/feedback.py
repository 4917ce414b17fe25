"""What the shopper said of items and has not withdrawn."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from router.query_features.kind import FeatureRequest, QueryFeatureKind
from state.feedback_codes import WITHDRAWN
from state.user_state import Behaviours


class ItemFeedback(NamedTuple):
    """Feedback on items that the catalogue knows, newest first; an item is there once for each thing said."""

    items: NDArray[np.int32]
    """int32[m], dense items."""
    codes: NDArray[np.uint8]
    """uint8[m], `state.feedback_codes` but WITHDRAWN."""
    ts: NDArray[np.int64]
    """int64[m], unix seconds."""

    def since(self, code: int, oldest: float) -> NDArray[np.int32]:
        """int32[], items of which `code` was said after unix second `oldest`."""
        chosen: NDArray[np.int32] = self.items[(self.codes == code) & (self.ts > oldest)]
        return chosen


def _none() -> ItemFeedback:
    none = ItemFeedback(np.empty(0, np.int32), np.empty(0, np.uint8), np.empty(0, np.int64))
    for column in none:
        column.flags.writeable = False
    return none


def in_force(rows: Behaviours) -> NDArray[np.intp]:
    """Positions of the rows, newest first, that no newer row of the same item withdraws."""
    withdrawals = np.flatnonzero(rows.events == WITHDRAWN)
    if not withdrawals.size:
        return np.arange(len(rows.items))
    # Of an item's withdrawals the first in order is the newest: what lies behind it is withdrawn.
    keys, first = np.unique(rows.items[withdrawals], return_index=True)
    at = np.minimum(np.searchsorted(keys, rows.items), keys.size - 1)
    withdrawn = (keys[at] == rows.items) & (np.arange(len(rows.items)) >= withdrawals[first[at]])
    return np.flatnonzero(~withdrawn)


async def hydrate(request: FeatureRequest) -> ItemFeedback:
    """The feedback of the shopper's state, in the dense ids of the snapshot that answers."""
    said = request.state.feedback
    positions = in_force(said)
    items = request.catalogue.dense_from_keys(said.items[positions])
    known = np.flatnonzero(items)
    positions = positions[known]
    return ItemFeedback(items[known], said.events[positions], said.ts[positions])


FEATURE = QueryFeatureKind(
    hydrate=hydrate,
    default=_none(),
    waits=False,
    description="What the shopper said of items, newest first: items int32[m], codes uint8[m] of "
    "state.feedback_codes, ts int64[m] unix seconds.",
)
