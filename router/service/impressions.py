"""Stores which items a shopper was shown, once the answer has left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipeline.candidates import Candidates, no_candidates
from pipeline.stages import NO_MODEL, Model
from recall.query import Query
from router.fusion.credit import CreditRule
from state.store import StateStore


@dataclass(frozen=True, slots=True)
class ShownPage:
    """What an answer showed of one scene, as side effects see it: ids in page order, at unix second `ts`.

    item_keys      uint64[n], `snapshot.item_keys` of `item_ids`
    request_id     of the answer, with the token that it carried
    arms           experiment → arm, of the experiments whose arm chose how it was made
    items          the shown candidates, in the order of `item_ids`
    channel_names  by bit of `items.channels`
    model          that ordered the candidates
    snapshot_id    of the snapshot that answered
    propensities   float64[n], as `router.page.exploration` draws them; None where no slot can be drawn
    log_features   whether the scene's answers belong into the feature log
    segment        of the shopper, among whom the scene's channels are compared
    credit         how its items are credited to channels; None where the scene does not move shares
    took_ms        milliseconds from the call's arrival until the answer was made
    degraded       what did not take part, as the answer names it
    """

    scene: str
    item_ids: Sequence[str]
    item_keys: NDArray[np.uint64]
    ts: int
    request_id: str = ""
    attribution_token: str = ""
    arms: Mapping[str, str] = field(default_factory=dict)
    items: Candidates = field(default_factory=no_candidates)
    channel_names: Sequence[str] = ()
    model: Model = NO_MODEL
    snapshot_id: str = ""
    propensities: NDArray[np.float64] | None = None
    log_features: bool = False
    took_ms: float = 0.0
    degraded: Sequence[str] = ()
    segment: str = ""
    credit: CreditRule | None = None


class ServedImpressions:
    """The side effect that adds shown items to the shopper's state; anonymous shoppers have none."""

    name = "impressions"

    def __init__(self, store: StateStore) -> None:
        """`store`: receives the items."""
        self._store = store

    def applies_to(self, query: Query, response: ShownPage) -> bool:
        """Whether the shopper is known, and the answer has items."""
        return bool(query.user_id) and bool(response.item_ids)

    async def after(self, query: Query, response: ShownPage) -> None:
        """Gives the shown items to the store, which writes them later."""
        await self._store.append_impressions(query.user_id, response.item_keys, response.ts)
