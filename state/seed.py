"""Fills the store with the history and profiles of a data set: the first request knows its shopper."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from snapshot.dataset import Dataset
from snapshot.event_codes import IMPRESSION, PURCHASE
from snapshot.tombstones import NEVER
from state.records import rows_at
from state.settings import StateSettings
from state.store import StateStore
from state.user_records import rows_by_field
from state.user_state import Behaviours, CartChanges, TimedItems, UserState

if TYPE_CHECKING:
    import polars as pl

_USERS_PER_STEP = 1_000
Progress = Callable[[int, int], None]


def seed_state(
    store: StateStore,
    dataset: Dataset,
    settings: StateSettings,
    progress: Progress = lambda done, total: None,
) -> bool:
    """Merges every user's events and profile into the store; returns False where that was done before.

    Events and profiles the store already has stay: an equal event is not added twice and a profile that was
    stored after the data set's last event is kept, so an interrupted run is simply repeated. The event log
    is not touched. Of shoppers that were deleted only what came later is merged, and no profile.
    `progress(done, total)` counts users.

    Raises:
        StorageError: a stored record is corrupt, or the environment cannot take more.
    """
    marker = f"seeded:{dataset.manifest.id}"
    if store.marker(marker) is not None:
        return False
    users = dataset.users()
    user_ids = users["user_id"].to_list()
    profiles = _profiles(users)
    total = len(user_ids)
    history = _Histories(dataset, settings, total)
    deleted = store.tombstones()
    for start in range(0, total, _USERS_PER_STEP):
        stop = min(start + _USERS_PER_STEP, total)
        states = [
            (user_ids[row], without_deleted(history.state(row + 1, profiles[row]), deleted.of(user_ids[row])))
            for row in range(start, stop)
        ]
        store.merge(states, profiles_updated_at=dataset.manifest.time_range[1])
        progress(stop, total)
    store.set_marker(marker, str(total))
    return True


def without_deleted(state: UserState, erased_ms: int) -> UserState:
    """What came later than a deletion at a unix millisecond, or everything where there was none (`NEVER`)."""
    if erased_ms == NEVER:
        return state
    return UserState(
        **{name: rows_at(rows, rows.ts * 1_000 > erased_ms) for name, rows in rows_by_field(state)}
    )


def _profiles(users: "pl.DataFrame") -> list[dict[str, str]]:
    """The text columns of each user but the id, without unknown values."""
    import polars as pl

    fields = [name for name, dtype in users.schema.items() if dtype == pl.String and name != "user_id"]
    if not fields:
        return [{} for _ in range(users.height)]
    return [
        {field: value for field, value in zip(fields, row, strict=True) if value}
        for row in users.select(fields).iter_rows()
    ]


class _Histories:
    """The events of a data set, found by user."""

    def __init__(self, dataset: Dataset, settings: StateSettings, users: int) -> None:
        self._settings = settings
        events = dataset.events().select("user", "item", "event", "ts").collect()
        catalogue = dataset.catalogue
        keys = np.zeros(catalogue.size + 1, dtype=np.uint64)
        keys[1:] = catalogue.item_keys(np.arange(1, catalogue.size + 1))
        self._bounds = _bounds(events["user"].to_numpy(), users)
        self._key = keys[events["item"].to_numpy()]
        self._event = events["event"].to_numpy()
        self._ts = events["ts"].to_numpy()
        changes = dataset.cart_changes()
        self._change_bounds = _bounds(changes["user"].to_numpy(), users)
        self._changed_key = keys[changes["item"].to_numpy()]
        self._pieces = changes["pieces"].to_numpy()
        self._changed_ts = changes["ts"].to_numpy()

    def state(self, user: int, profile: dict[str, str]) -> UserState:
        """What a user did, newest first and within the store's bounds."""
        start, stop = self._bounds[user - 1 : user + 1].tolist()
        keys, codes, ts = (column[start:stop][::-1] for column in (self._key, self._event, self._ts))
        shown = codes == IMPRESSION
        acted_at = np.flatnonzero(~shown)[: self._settings.max_behaviours]
        bought_at = np.flatnonzero(codes == PURCHASE)[: self._settings.max_purchases]
        shown_at = np.flatnonzero(shown)[: self._settings.max_impressions]
        return UserState(
            Behaviours(keys[acted_at], codes[acted_at], ts[acted_at]),
            TimedItems(keys[bought_at], ts[bought_at]),
            TimedItems(keys[shown_at], ts[shown_at]),
            profile,
            cart_changes=self._changes_of(user),
        )

    def _changes_of(self, user: int) -> CartChanges:
        start, stop = self._change_bounds[user - 1 : user + 1].tolist()
        newest = slice(start, stop)
        most = self._settings.max_cart_changes
        return CartChanges(
            self._changed_key[newest][::-1][:most],
            self._pieces[newest][::-1][:most],
            self._changed_ts[newest][::-1][:most],
        )


def _bounds(user: NDArray[np.integer], users: int) -> NDArray[np.intp]:
    """intp[users + 1]: the rows of user u, of an ascending column, are those from place u − 1 to place u.

    All at once and in the column's own type: NumPy copies the column for a search of another type.
    """
    return np.searchsorted(user, np.arange(1, users + 2, dtype=user.dtype))
