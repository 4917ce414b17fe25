"""Joins impressions with the clicks, carts and purchases of the same answer and item, in whole columns.

What is known of a pair of answer and item is a set of bits, so that an event that comes twice changes
nothing, in whatever order events come. Pairs are kept for a window: in a table for those of the present
window, and one for those of the window before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learning.stream.event_columns import EventColumns
from learning.stream.hashed_columns import KEYS, Columns, HashedColumns
from learning.stream.samples import Samples
from learning.stream.settings import StreamSettings
from snapshot.event_codes import CART, IMPRESSION, PURCHASE, VIEW
from state.live_counters.slots import Slots

Bools = NDArray[np.bool_]

_DTYPES: Mapping[str, type[np.generic]] = {
    "keys": np.uint64,
    "first_s": np.int64,
    "shown_s": np.int64,
    "bits": np.uint8,
    "label": np.uint8,
    "shoppers": np.uint64,
    "items": np.uint64,
    "categories": np.uint64,
    "scenes": np.uint64,
    "answers": np.uint64,
    "served_s": np.int64,
    "positions": np.int32,
    "weathers": np.uint64,
}
_SUBJECTS = ("shoppers", "items", "categories", "scenes", "answers", "served_s", "positions", "weathers")
_SHOWN, _CLICKED, _CARTED, _PURCHASED = (1 << (code - 1) for code in (IMPRESSION, VIEW, CART, PURCHASE))


def _allocate(capacity: int) -> Columns:
    return {name: np.zeros(capacity, dtype) for name, dtype in _DTYPES.items()}


class Join:
    """The pairs of the log up to some event."""

    def __init__(self, settings: StreamSettings) -> None:
        """No pair is known yet."""
        self._window_s = settings.window_s
        self._wait_s = settings.label_wait_s
        self._most_pairs = settings.most_pairs
        self._now = HashedColumns(_allocate)
        self._before = HashedColumns(_allocate)
        # Pairs whose label is waited for, by the time of their impression.
        self._waiting = np.empty(0, np.uint64)
        self._waiting_s = np.empty(0, np.int64)

    @property
    def pairs(self) -> int:
        """Pairs that are kept."""
        return self._now.rows + self._before.rows

    @property
    def waiting(self) -> int:
        """Impressions whose label is waited for."""
        return self._waiting.size

    def rotate(self, drops: Counter[str]) -> None:
        """Begins the next window: pairs of the one before the last are forgotten."""
        old = self._before
        slots = old.occupied()
        bits = old.columns["bits"][slots]
        unmatched = slots[(bits & _CLICKED != 0) & (bits & _SHOWN == 0)]
        gone = self._now.find(old.keys[unmatched]) < 0
        drops["click_without_impression"] += int(np.count_nonzero(gone))
        self._before, self._now = self._now, HashedColumns(_allocate)

    def add(self, events: EventColumns, drops: Counter[str]) -> tuple[Bools, Bools, Bools]:
        """Adds events of one window, in the order of the log.

        Returns:
            Which events count, bool[n]: the first of their kind of their pair, and those of no pair; which of
            them complete an impression and its click, bool[n]; and which are of a pair whose label was known
            before, bool[n].
        """
        counts = events.pairs == 0
        completes, late = np.zeros((2, len(events)), np.bool_)
        slots, at, outside = self._located(events, np.flatnonzero(~counts), drops)
        # An event of a pair that is not kept still says what is popular.
        counts[outside[events.codes[outside] != IMPRESSION]] = True
        bits = np.left_shift(1, events.codes[at].astype(np.int64) - 1)
        first = np.zeros(at.size, np.bool_)
        first[np.unique(slots * 256 + bits, return_index=True)[1]] = True
        first &= self._now.columns["bits"][slots] & bits == 0
        again = int(np.count_nonzero(events.codes[at[~first]] == IMPRESSION))
        drops["duplicate_impression"] += again
        drops["duplicate_event"] += int(np.count_nonzero(~first)) - again
        slots, at, bits = slots[first], at[first], bits[first]
        counts[at] = True
        completes[at[self._completing(slots, bits, drops)]] = True
        self._show(events, slots, at, bits)
        late[at] = self._label(events, slots, at, bits, drops)
        np.bitwise_or.at(self._now.columns["bits"], slots, bits.astype(np.uint8))
        return counts, completes, late

    def credited(self, answer: int) -> NDArray[np.uint64]:
        """Keys of the items of an answer that were bought, or else opened; of pairs that are kept."""
        found: list[tuple[NDArray[np.uint64], NDArray[np.uint8]]] = []
        for table in (self._now, self._before):
            of = table.columns["answers"] == np.uint64(answer) if answer else np.zeros(0, np.bool_)
            (slots,) = np.nonzero(of)
            found.append((table.columns["items"][slots], table.columns["bits"][slots]))
        items, bits = (np.concatenate(columns) for columns in zip(*found, strict=True))
        bought = items[bits & _PURCHASED != 0]
        return np.unique(bought if bought.size else items[bits & _CLICKED != 0])

    def samples(self, log_s: int) -> Samples:
        """The samples whose label is known at unix second `log_s` of the log; each is returned once."""
        due = int(np.searchsorted(self._waiting_s + self._wait_s, log_s, side="right"))
        keys, shown_s = self._waiting[:due], self._waiting_s[:due]
        self._waiting, self._waiting_s = self._waiting[due:], self._waiting_s[due:]
        slots, earlier = self._now.find(keys), self._before.find(keys)
        present = slots >= 0

        def column(name: str) -> NDArray[Any]:
            return np.where(present, self._now.columns[name][slots], self._before.columns[name][earlier])

        label = column("label")
        return Samples(
            shown_s,
            **{name: column(name) for name in _SUBJECTS},
            clicked=label & _CLICKED != 0,
            carted=label & _CARTED != 0,
            purchased=label & _PURCHASED != 0,
            regions=np.zeros(due, np.uint64),
            crowds=np.zeros(due, np.uint64),
        )

    def exported(self) -> dict[str, NDArray[Any]]:
        """Everything, as arrays by name: the same for the same log."""
        return {
            **{f"now.{name}": column for name, column in self._now.exported().items()},
            **{f"before.{name}": column for name, column in self._before.exported().items()},
            "waiting": self._waiting,
            "waiting_s": self._waiting_s,
        }

    def load(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Replaces everything by what `exported` gave."""
        self._now.load({name: arrays[f"now.{name}"] for name in _DTYPES})
        self._before.load({name: arrays[f"before.{name}"] for name in _DTYPES})
        self._waiting, self._waiting_s = arrays["waiting"], arrays["waiting_s"]

    def _located(self, events: EventColumns, at: Slots, drops: Counter[str]) -> tuple[Slots, Slots, Slots]:
        """The slots of the pairs of the events at `at`, these events, and those whose pair is not kept."""
        unique, first, inverse = np.unique(events.pairs[at], return_index=True, return_inverse=True)
        absent = np.flatnonzero(self._now.find(unique) < 0)
        earlier = self._before.find(unique[absent])
        moved = earlier >= 0
        arrived = absent[~moved]
        room = max(0, self._most_pairs - self._now.rows - int(np.count_nonzero(moved)))
        refused = arrived[np.argsort(first[arrived])][room:]
        kept = np.ones(unique.size, np.bool_)
        kept[refused] = False
        slots = np.full(unique.size, -1, np.intp)
        slots[kept], _ = self._now.ensure(unique[kept])
        columns = self._now.columns
        for name in _DTYPES:
            if name != KEYS:
                columns[name][slots[absent[moved]]] = self._before.columns[name][earlier[moved]]
        arrived = arrived[kept[arrived]]
        columns["first_s"][slots[arrived]] = events.log_s[at[first[arrived]]]
        slots = slots[inverse]
        full = slots < 0
        late = ~full & (columns["first_s"][slots] + self._window_s < events.log_s[at])
        drops["pairs_full"] += int(np.count_nonzero(full))
        drops["after_window"] += int(np.count_nonzero(late))
        outside = full | late
        return slots[~outside], at[~outside], at[outside]

    def _completing(self, slots: Slots, bits: NDArray[np.int64], drops: Counter[str]) -> Slots:
        """Positions of the events, first of their kind, with which impression and click are both there."""
        shown, clicked = bits == _SHOWN, bits == _CLICKED
        before = self._now.columns["bits"][slots]
        # Both come now: the later one completes. Positions are in the order of the log.
        shown_at, clicked_at = np.flatnonzero(shown), np.flatnonzero(clicked)
        _, of_shown, of_clicked = np.intersect1d(
            slots[shown_at], slots[clicked_at], assume_unique=True, return_indices=True
        )
        pairs = shown_at[of_shown], clicked_at[of_clicked]
        before_its_click = np.flatnonzero(shown & (before & _CLICKED != 0))
        after_its_impression = np.flatnonzero(clicked & (before & _SHOWN != 0))
        drops["click_before_impression"] += before_its_click.size + int(np.count_nonzero(pairs[0] > pairs[1]))
        return np.concatenate((before_its_click, after_its_impression, np.maximum(*pairs)))

    def _show(self, events: EventColumns, slots: Slots, at: Slots, bits: NDArray[np.int64]) -> None:
        """Begins to wait for the labels of impressions."""
        shown = bits == _SHOWN
        slots, at = slots[shown], at[shown]
        self._now.columns["shown_s"][slots] = events.log_s[at]
        for name in _SUBJECTS:
            self._now.columns[name][slots] = getattr(events, name)[at]
        self._waiting = np.concatenate((self._waiting, events.pairs[at]))
        self._waiting_s = np.concatenate((self._waiting_s, events.log_s[at]))

    def _label(
        self, events: EventColumns, slots: Slots, at: Slots, bits: NDArray[np.int64], drops: Counter[str]
    ) -> Bools:
        """Notes what came in time for the label: before the impression, or soon after it; True: too late."""
        shown_s = self._now.columns["shown_s"][slots]
        in_time = (shown_s == 0) | (events.log_s[at] < shown_s + self._wait_s)
        np.bitwise_or.at(self._now.columns["label"], slots[in_time], bits[in_time].astype(np.uint8))
        drops["click_after_label"] += int(np.count_nonzero(~in_time & (bits == _CLICKED)))
        return np.asarray(~in_time)
