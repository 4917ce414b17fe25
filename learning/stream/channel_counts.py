"""Counts for which recall channels' items shoppers click and buy, scene by scene and segment by segment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from learning.stream.channel_settings import ChannelSettings
from learning.stream.channel_strata import (
    FINE,
    MOST_CHANNELS,
    PARTS,
    ChannelStrata,
    Int64,
    StratumEvents,
)
from learning.stream.credited_answers import CreditedItems
from learning.stream.shopper_days import ShopperDays
from learning.stream.slot_rates import SlotRates
from state.channel_rates.rates import SIGNALS, WHOLE_SCENE, ChannelRates, GroupRates, SignalSums
from state.feature_log.logged_page import CREDIT
from state.live_counters.decay import TICK_S
from state.live_counters.keys import combined, text_key

UInt64 = NDArray[np.uint64]
Bools = NDArray[np.bool_]

_DAY_S = 86_400
_SQUARES = PARTS.index("variance")


class Done(NamedTuple):
    """What shoppers did with n items, of which `CreditedItems.rows` are some.

    shoppers  uint64[n], keys
    served_s  int64[n], unix second of the answer; its day is the day of what was done
    clicked, purchased  bool[n]
    """

    shoppers: UInt64
    served_s: Int64
    clicked: Bools
    purchased: Bools


class ChannelCounts:
    """The counts up to some event; a function of the log, whatever the batches."""

    def __init__(self, settings: ChannelSettings) -> None:
        """Nothing is counted yet."""
        self._settings = settings
        self._half_life_ticks = settings.half_life_hours * 3_600 / TICK_S
        self._groups: dict[tuple[str, str], int] = {}
        self._channels: list[list[str]] = []
        # By group: int64[signals, parts, channels], and of what was shown int64[channels].
        self._sums: Int64 = np.zeros((0, len(SIGNALS), len(PARTS), MOST_CHANNELS), np.int64)
        self._shown: Int64 = np.zeros((0, MOST_CHANNELS), np.int64)
        self._slots = SlotRates()
        self._days: dict[int, ChannelStrata] = {}
        self._seen = ShopperDays(settings.shopper_items, settings.most_shoppers)
        self._late = ShopperDays(settings.shopper_events, settings.most_shoppers)
        self._tick = 0

    @property
    def rows(self) -> int:
        """Shoppers, scenes and days that are kept."""
        return sum(len(day) for day in self._days.values())

    def advance(self, tick: int) -> None:
        """Goes on to a minute of the log, which is not before the present one."""
        if tick <= self._tick:
            return
        factor = 0.5 ** ((tick - self._tick) / self._half_life_ticks)
        self._sums = np.rint(self._sums * factor).astype(np.int64)
        self._shown = np.rint(self._shown * factor).astype(np.int64)
        self._slots.fade(factor)
        self._tick = tick
        # Answers are credited for hours: no event is of a day before yesterday.
        oldest = tick * TICK_S // _DAY_S - 1
        self._days = {day: strata for day, strata in self._days.items() if day >= oldest}
        self._seen.forget(oldest)
        self._late.forget(oldest)

    def add(self, found: Sequence[CreditedItems], done: Done, drops: Counter[str], *, late: bool) -> None:
        """Counts items that were shown, with what was done in time; or what was done `late` with such ones.

        `drops`: counts what is beyond what one shopper, or all of them, may count.
        """
        if not found:
            return
        days = done.served_s // _DAY_S
        strata = np.zeros(done.shoppers.size, np.uint64)
        for items in found:
            strata[items.rows] = combined(done.shoppers[items.rows], np.uint64(text_key(items.scene)))
        (rows,) = np.nonzero(strata)
        counts = np.zeros(strata.size, np.bool_)
        counts[rows] = (self._late if late else self._seen).within(days[rows], strata[rows])
        drops["channel_shopper_cap"] += int(np.count_nonzero(~counts[rows]))
        oldest = self._tick * TICK_S // _DAY_S - 1
        for items in found:
            for day in np.unique(days[items.rows]).tolist():
                chosen = np.flatnonzero(counts[items.rows] & (days[items.rows] == day))
                if chosen.size and day >= oldest:
                    self._count(day, items, chosen, strata[items.rows[chosen]], done, drops, late=late)

    def _count(
        self,
        day: int,
        items: CreditedItems,
        chosen: NDArray[np.intp],
        strata: UInt64,
        done: Done,
        drops: Counter[str],
        *,
        late: bool,
    ) -> None:
        """Counts the chosen items of one day; `strata` are theirs for the whole scene."""
        table = self._days.setdefault(day, ChannelStrata())
        if late:
            # Without its impression an event has nothing to be compared with.
            present = table.has(strata)
            chosen, strata = chosen[present], strata[present]
        if not chosen.size:
            return
        rows, slots = items.rows[chosen], items.slots[chosen]
        happened = {"clicks": done.clicked[rows], "purchases": done.purchased[rows]}
        weights = np.zeros(chosen.size, np.int64)
        if not late:
            weights = self._slots.weights(items.scene, slots, self._tick)
            self._slots.add(items.scene, slots, happened["clicks"])
        for segment in dict.fromkeys((WHOLE_SCENE, items.segment)):
            group = self._group(items.scene, segment)
            if group is None:
                drops["channel_segments_full"] += chosen.size
                continue
            credits = self._by_channel(group, items.channels, items.credits[chosen], drops)
            keys = strata if segment == WHOLE_SCENE else combined(strata, np.uint64(text_key(segment)))
            taken = {name: credits * flags[:, None] for name, flags in happened.items()}
            self._sums[group] += table.add(StratumEvents(keys, credits * weights[:, None], taken))
            if not late:
                self._shown[group] += credits.sum(axis=0) * FINE

    def rates(self, seq: int) -> ChannelRates:
        """What is published, as of event `seq` of the log."""
        found = {}
        for key, group in sorted(self._groups.items()):
            names = self._channels[group]
            found[key] = GroupRates(
                *key,
                names,
                (self._shown[group, : len(names)] / (FINE * CREDIT)).tolist(),
                *(_published(self._sums[group, row, :, : len(names)]) for row in range(len(SIGNALS))),
            )
        return ChannelRates(seq, found)

    def exported(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Everything: what JSON can hold, and arrays by name."""
        order = [self._groups[key] for key in sorted(self._groups)]
        slot_numbers, slot_arrays = self._slots.exported()
        numbers = {
            "tick": self._tick,
            "groups": [[*key, self._channels[self._groups[key]]] for key in sorted(self._groups)],
            "slots": slot_numbers,
            "days": sorted(self._days),
            "seen": self._seen.days,
            "late": self._late.days,
        }
        arrays = {"sums": self._sums[order], "shown": self._shown[order]}
        arrays |= {f"slots.{name}": array for name, array in slot_arrays.items()}
        for prefix, days in (("seen", self._seen.tables), ("late", self._late.tables), ("day", self._days)):
            for day, table in days.items():
                arrays |= {f"{prefix}{day}.{name}": array for name, array in table.exported().items()}
        return numbers, arrays

    def load(self, numbers: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Replaces everything by what `exported` gave; KeyError where something is missing."""
        self._tick = numbers["tick"]
        self._groups = {(scene, part): row for row, (scene, part, _) in enumerate(numbers["groups"])}
        self._channels = [list(names) for _, _, names in numbers["groups"]]
        self._sums, self._shown = arrays["sums"].copy(), arrays["shown"].copy()
        self._slots.load(numbers["slots"], arrays["slots.counts"], arrays["slots.weights"])
        self._seen.load(numbers["seen"], arrays, "seen")
        self._late.load(numbers["late"], arrays, "late")
        self._days = {}
        for day in numbers["days"]:
            strata = self._days[day] = ChannelStrata()
            head = f"day{day}."
            strata.load(
                {name.removeprefix(head): rows for name, rows in arrays.items() if name.startswith(head)}
            )

    def _group(self, scene: str, segment: str) -> int | None:
        """The row of a group; None where there is no room for another segment."""
        group = self._groups.get((scene, segment))
        if group is not None:
            return group
        if len(self._groups) >= self._settings.most_groups and segment != WHOLE_SCENE:
            return None
        group = self._groups[scene, segment] = len(self._channels)
        self._channels.append([])
        self._sums = np.concatenate((self._sums, np.zeros((1, *self._sums.shape[1:]), np.int64)))
        self._shown = np.concatenate((self._shown, np.zeros((1, MOST_CHANNELS), np.int64)))
        return group

    def _by_channel(
        self, group: int, channels: tuple[str, ...], credits: NDArray[np.uint8], drops: Counter[str]
    ) -> Int64:
        """int64[m, `MOST_CHANNELS`]: credits by the group's channels, which take up new ones."""
        names = self._channels[group]
        result = np.zeros((credits.shape[0], MOST_CHANNELS), np.int64)
        for column, name in enumerate(channels):
            if name not in names:
                if len(names) >= MOST_CHANNELS:
                    drops["channels_full"] += credits.shape[0]
                    continue
                names.append(name)
            result[:, names.index(name)] = credits[:, column]
        return result


def _published(sums: Int64) -> SignalSums:
    """In events, of int64[parts, channels]; what rounding made negative is 0."""
    units = np.full(len(PARTS), FINE * CREDIT, np.float64)
    units[_SQUARES] = CREDIT * CREDIT
    units[PARTS.index("shoppers")] = FINE
    return SignalSums(*np.maximum(sums / units[:, None], 0.0).tolist())
