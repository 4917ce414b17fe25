"""Fills the store with the history and profiles of a data set: the first request knows its shopper."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from router.state.settings import StateSettings
from router.state.store import StateStore
from router.state.user_state import Behaviours, TimedItems, UserState
from snapshot.dataset import Dataset
from snapshot.event_codes import IMPRESSION, PURCHASE

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
    is not touched. `progress(done, total)` counts users.

    Raises:
        StateError: a stored record is corrupt, or the environment cannot take more.
    """
    marker = f"seeded:{dataset.manifest.id}"
    if store.marker(marker) is not None:
        return False
    users = dataset.users()
    user_ids = users["user_id"].to_list()
    profiles = _profiles(users)
    histories = dict(_histories(dataset, settings))
    total = len(user_ids)
    for start in range(0, total, _USERS_PER_STEP):
        stop = min(start + _USERS_PER_STEP, total)
        store.merge(
            [
                (user_ids[row], _with_profile(histories.get(row + 1), profiles[row]))
                for row in range(start, stop)
            ],
            profiles_updated_at=dataset.manifest.time_range[1],
        )
        progress(stop, total)
    store.set_marker(marker, str(total))
    return True


def _with_profile(history: UserState | None, profile: dict[str, str]) -> UserState:
    if history is None:
        return UserState(profile=profile)
    return UserState(history.behaviours, history.purchases, history.impressions, profile)


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


def _histories(dataset: Dataset, settings: StateSettings) -> Iterator[tuple[int, UserState]]:
    """The history of each user index that has events, newest first and within the bounds."""
    events = dataset.events().select("user", "item", "event", "ts").collect()
    user, item, event, ts = (events[name].to_numpy() for name in ("user", "item", "event", "ts"))
    if not len(user):
        return
    catalogue = dataset.catalogue
    keys = np.zeros(catalogue.size + 1, dtype=np.uint64)
    keys[1:] = catalogue.item_keys(np.arange(1, catalogue.size + 1))
    starts = np.flatnonzero(np.diff(user, prepend=user[0] - 1))
    for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), len(user)], strict=True):
        newest_first = slice(stop - 1, start - 1 if start else None, -1)
        items, codes, times = keys[item[newest_first]], event[newest_first], ts[newest_first]
        acted = np.flatnonzero(codes != IMPRESSION)[: settings.max_behaviours]
        bought = np.flatnonzero(codes == PURCHASE)[: settings.max_purchases]
        shown = np.flatnonzero(codes == IMPRESSION)[: settings.max_impressions]
        yield (
            int(user[start]),
            UserState(
                Behaviours(items[acted], codes[acted], times[acted]),
                TimedItems(items[bought], times[bought]),
                TimedItems(items[shown], times[shown]),
            ),
        )
