"""Notes what was served to whom, once the answer has left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from recall.query import Query
from snapshot.item_keys import item_keys
from state.store import StateStore


@dataclass(frozen=True, slots=True)
class Served:
    """What an answer showed, as side effects see it: ids in page order, at unix second `ts`.

    request_id         of the answer, with the token that it carried
    arms               experiment → arm, of the experiments whose arm chose how it was made
    """

    scene: str
    item_ids: Sequence[str]
    ts: int
    request_id: str = ""
    attribution_token: str = ""
    arms: Mapping[str, str] = field(default_factory=dict)


class ServedImpressions:
    """The side effect that notes served items in the shopper's state; anonymous shoppers have none."""

    name = "impressions"

    def __init__(self, store: StateStore) -> None:
        self._store = store

    async def after(self, query: Query, response: Served) -> None:
        """Hands the served items to the store, which writes them later."""
        if query.user_id and response.item_ids:
            await self._store.append_impressions(query.user_id, item_keys(response.item_ids), response.ts)
