"""Collects, from the event log, the latest rating of each shopper and item."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learning.satisfaction.dimensions import SATISFIED
from learning.satisfaction.prediction.fit import ItemRatings
from learning.satisfaction.prediction.settings import PredictionSettings
from learning.stream.hashed_columns import KEYS, Columns, HashedColumns
from snapshot.item_keys import item_keys
from state.feedback_codes import RATED
from state.live_counters.keys import combined, text_key
from state.live_counters.slots import Slots
from state.logged_event import LoggedEvent

UInt64 = NDArray[np.uint64]

_NO_ITEMS: UInt64 = np.zeros(0, np.uint64)
_DTYPES: Mapping[str, type[np.generic]] = {
    KEYS: np.uint64,
    "seqs": np.int64,
    "items": np.uint64,
    "categories": np.uint64,
    "shops": np.uint64,
    "satisfied": np.bool_,
}
_SLACK = 9 / 8
"""How far the table grows beyond the bound, so that rows are not dropped with every batch."""
_MOST_CREDITED = 600
"""Ratings that name no item and are looked up within an hour of the log: each costs milliseconds."""
_HOUR_MS = 3_600_000

Entries = Sequence[tuple[int, LoggedEvent]]


def _allocate(capacity: int) -> Columns:
    return {name: np.zeros(capacity, dtype) for name, dtype in _DTYPES.items()}


def _says_something(event: LoggedEvent) -> bool:
    return event.event == RATED and event.rating is not None and bool(event.rating.ratings)


class CollectedRatings:
    """A function of the log: the ratings up to some event, however it is read."""

    def __init__(self, settings: PredictionSettings) -> None:
        """No rating was read yet."""
        self._most = settings.most_ratings
        self._table = HashedColumns(_allocate)
        self._hour = 0
        self._credited = 0
        self.changes = 0
        """Ratings of items that were read since the beginning: where it rises there is something to learn."""

    def __len__(self) -> int:
        """Ratings that are kept."""
        return min(self._table.rows, self._most)

    def parts(self, entries: Entries) -> Iterator[Entries]:
        """The entries in parts, to be read one after the other: at least one, perhaps empty.

        A part ends with a rating that names no item, so that what it is credited with follows from the
        entries before it alone.
        """
        begin = 0
        for at, (_, event) in enumerate(entries, start=1):
            if not _says_something(event) or event.item_id:
                continue
            hour = event.arrived_ms // _HOUR_MS
            if hour > self._hour:
                self._hour, self._credited = hour, 0
            self._credited += 1
            if self._credited <= _MOST_CREDITED:
                yield entries[begin:at]
                begin = at
        yield entries[begin:]

    def read(
        self,
        part: Entries,
        groups: Callable[[UInt64], tuple[UInt64, UInt64]],
        credited: Callable[[int], UInt64],
        drops: Counter[str],
    ) -> None:
        """Takes up the ratings of a part of `parts`.

        Args:
            part: sequence numbers and events.
            groups: item keys uint64[n] → keys of their categories and shops.
            credited: key of an answer's token → keys of its items that the shopper bought, or else opened.
            drops: counts ratings of no item as `rating_without_item`.
        """
        latest: dict[tuple[int, int], tuple[int, bool]] = {}
        for at, (seq, event) in enumerate(part, start=1):
            if not _says_something(event) or event.rating is None:
                continue
            if event.item_id:
                items = item_keys([event.item_id])
            elif at == len(part) and self._credited <= _MOST_CREDITED:
                items = credited(text_key(event.attribution_token))
            else:
                items = _NO_ITEMS
            if not items.size:
                drops["rating_without_item"] += 1
                continue
            values = event.rating.ratings.values()
            satisfied = sum(values) / len(values) >= SATISFIED
            self.changes += 1
            for item in items.tolist():
                latest[text_key(event.user_id), item] = seq, satisfied
        if latest:
            self._add(latest, groups)

    def ratings(self) -> ItemRatings:
        """Those that are kept, oldest first."""
        columns, slots = self._table.columns, self._kept()
        return ItemRatings(*(columns[name][slots] for name in ("items", "categories", "shops", "satisfied")))

    def exported(self) -> dict[str, NDArray[Any]]:
        """Everything, as arrays by name: the same for the same log."""
        slots = self._kept()
        numbers = np.array([self.changes, self._hour, self._credited])
        return {**{name: column[slots] for name, column in self._table.columns.items()}, "numbers": numbers}

    def load(self, rows: Mapping[str, NDArray[Any]]) -> None:
        """Replaces everything by what `exported` gave; KeyError where something is missing."""
        self._table.load({name: rows[name] for name in _DTYPES})
        self.changes, self._hour, self._credited = rows["numbers"].tolist()

    def _kept(self) -> Slots:
        """Slots of the latest ratings, oldest first."""
        slots, columns = self._table.occupied(), self._table.columns
        return slots[np.lexsort((columns[KEYS][slots], columns["seqs"][slots]))][-self._most :]

    def _add(
        self,
        latest: Mapping[tuple[int, int], tuple[int, bool]],
        groups: Callable[[UInt64], tuple[UInt64, UInt64]],
    ) -> None:
        shoppers, items = (np.array(column, np.uint64) for column in zip(*latest, strict=True))
        seqs, satisfied = zip(*latest.values(), strict=True)
        categories, shops = groups(items)
        slots, _ = self._table.ensure(combined(shoppers, items))
        added = {
            "items": items,
            "categories": categories,
            "shops": shops,
            "seqs": seqs,
            "satisfied": satisfied,
        }
        for name, values in added.items():
            self._table.columns[name][slots] = values
        if self._table.rows > _SLACK * self._most:
            self._table.keep(self._kept())
