"""The state of the learner: what it makes of the event log, a function of the logs alone.

However the log is cut into batches, and wherever reading begins anew from a checkpoint, the state is the
same to the bit, as long as the snapshot, the scenes, the settings and the feature log are the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learning.stream.channel_counts import ChannelCounts, Done
from learning.stream.checkpoint import digest
from learning.stream.counter_table import CounterTable
from learning.stream.event_columns import EventColumns, EventReader
from learning.stream.join import Join
from learning.stream.samples import Samples
from learning.stream.served_features import ServedFeatures
from learning.stream.settings import StreamSettings
from learning.stream.shopper_caps import ShopperCaps
from snapshot.catalogue import Catalogue
from snapshot.event_codes import PURCHASE, VIEW
from snapshot.event_kinds import EVENT_KINDS
from state.attribution import AttributionCodec
from state.channel_rates.rates import ChannelRates
from state.live_counters.decay import SIGNALS, TICK_S
from state.live_counters.kinds import LIVE_KINDS, Subjects
from state.logged_event import LoggedEvent

Arrays = dict[str, NDArray[Any]]

_HOUR = 3_600 // TICK_S
_SIGNAL_OF = {kind.code: SIGNALS.index(kind.live_signal) for kind in EVENT_KINDS.values() if kind.live_signal}
_CLICKS = SIGNALS.index("clicks")
_UNCOUNTED = 255


class StreamState:
    """Counters, open pairs and what was counted by reason, after the event `seq` of the log."""

    def __init__(
        self,
        settings: StreamSettings,
        codec: AttributionCodec,
        catalogue: Catalogue,
        folder: Path,
        features: ServedFeatures | None = None,
    ) -> None:
        """Nothing was read yet.

        Args:
            settings: windows and bounds.
            codec: decodes attribution tokens.
            catalogue: items, their categories and shops.
            folder: where files of counters are made. Raises OSError where they cannot be.
            features: what serving saw, of which nothing was read; None: samples go without.
        """
        self._features = features
        self._reader = EventReader(settings, codec)
        self._reader.use(catalogue)
        self._window = settings.window_s // TICK_S
        self._join = Join(settings)
        self._caps = ShopperCaps(settings)
        self._channels = ChannelCounts(settings.channels)
        self._tables = {
            name: CounterTable(folder, name, kind.most_rows, kind.most_impressions)
            for name, kind in LIVE_KINDS.items()
        }
        self._tick = 0
        self.seq = 0
        """Sequence number of the last event that was read."""
        self.log_s = 0
        """Unix second of the latest arrival."""
        self.drops: Counter[str] = Counter()
        """What does not count, or not as it might, by reason."""
        self.events = 0
        """Events that were read."""
        self.learned = 0
        """Samples that were made."""

    def use(self, catalogue: Catalogue) -> None:
        """Items and categories are those of this catalogue from now on."""
        self._reader.use(catalogue)

    def read(self, entries: Sequence[tuple[int, LoggedEvent]], scenes: Collection[str]) -> Samples:
        """Takes up the next entries of the log, in their order; returns the samples that are now known.

        `scenes`: names of the scenes that there are. Entries up to `seq` are left out, so that none counts
        twice.
        """
        entries = [entry for entry in entries if entry[0] > self.seq]
        made: list[Samples] = []
        if entries:
            events, log_s = self._reader.read([each for _, each in entries], self.log_s, scenes, self.drops)
            if self._features is not None:
                self._features.follow(self.log_s, int(log_s[-1]), self.drops)
            for tick in np.unique(log_s // TICK_S).tolist():
                # What is due is due before windows begin: no event of this minute comes in time for it.
                made.append(self._due(tick * TICK_S))
                self._advance(tick)
                late = self._count(events.take(events.log_s // TICK_S == tick))
                made.append(self._due(int(log_s[log_s // TICK_S == tick][-1])))
                # After the impressions that these events are of, wherever the log is cut.
                self._credit(late, late.log_s, late.codes == VIEW, late.codes == PURCHASE, late=True)
            self.seq, self.log_s = entries[-1][0], int(log_s[-1])
            self.events += len(entries)
            if self._features is not None:
                self._features.forget(self.log_s)
        made.append(self._due(self.log_s))
        samples = Samples.joined(made)
        self.learned += len(samples)
        return samples

    def groups(self, items: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """Keys of the categories and of the shops of items, uint64[n] each; 0 where there is none."""
        return self._reader.groups(items)

    def credited(self, answer: int) -> NDArray[np.uint64]:
        """Keys of the items of an answer that its shopper bought, or else opened, within the window."""
        return self._join.credited(answer)

    def skip(self, seq: int, reason: str) -> None:
        """Goes on behind an entry that cannot be read."""
        self.drops[reason] += 1
        self.seq = seq

    def channel_rates(self) -> ChannelRates:
        """The recall channels' rates as of the last event."""
        return self._channels.rates(self.seq)

    @property
    def files(self) -> dict[str, str]:
        """Kind → name of its file of counters."""
        return {name: table.file for name, table in self._tables.items()}

    @property
    def rows(self) -> dict[str, int]:
        """What is kept in memory, by kind: rows of counters, pairs, and impressions without a label yet."""
        kept = {name: len(table) for name, table in self._tables.items()}
        answers = 0 if self._features is None else len(self._features)
        credited = 0 if self._features is None else len(self._features.credited)
        return {
            **kept,
            "pairs": self._join.pairs,
            "waiting": self._join.waiting,
            "answers": answers,
            "credited": credited,
            "channel_shoppers": self._channels.rows,
        }

    def exported(self) -> tuple[dict[str, Any], Arrays]:
        """Everything: numbers and counts, and arrays by name."""
        of_channels, channel_arrays = self._channels.exported()
        numbers = {
            "channels": of_channels,
            "seq": self.seq,
            "log_s": self.log_s,
            "tick": self._tick,
            "events": self.events,
            "learned": self.learned,
            "drops": {reason: count for reason, count in sorted(self.drops.items()) if count},
        }
        arrays: Arrays = {f"join.{name}": array for name, array in self._join.exported().items()}
        arrays |= {f"channels.{name}": array for name, array in channel_arrays.items()}
        arrays |= {f"caps.{name}": array for name, array in self._caps.exported().items()}
        for kind, table in self._tables.items():
            arrays |= {f"{kind}.{name}": array for name, array in table.exported().items()}
        return numbers, arrays

    def load(self, numbers: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Replaces everything by what `exported` gave; KeyError where something is missing."""
        self.seq, self.log_s, self._tick = numbers["seq"], numbers["log_s"], numbers["tick"]
        self.events, self.learned = numbers["events"], numbers["learned"]
        self.drops = Counter(numbers["drops"])
        self._join.load(below("join", arrays))
        self._caps.load(below("caps", arrays))
        self._channels.load(numbers["channels"], below("channels", arrays))
        for kind, table in self._tables.items():
            table.load(below(kind, arrays))

    def digest(self) -> str:
        """A hash of everything: two states are the same to the bit where theirs is."""
        return digest(*self.exported())

    def _advance(self, tick: int) -> None:
        """Goes on to a minute of the log, which is where windows begin and what is too much is dropped."""
        before, self._tick = self._tick, max(tick, self._tick)
        if self._tick == before:
            return
        for _ in range(min(2, self._tick // self._window - before // self._window)):
            self._join.rotate(self.drops)
        if self._tick // _HOUR != before // _HOUR:
            self._caps.begin_hour()
        self._channels.advance(self._tick)
        for kind, table in self._tables.items():
            self.drops[f"evicted_{kind}"] += table.evict(self._tick)

    def _due(self, log_s: int) -> Samples:
        """The samples whose label is known at unix second `log_s`, counted by what serving saw of them."""
        samples = self._join.samples(log_s)
        if self._features is None or not len(samples):
            return samples
        samples = self._features.added(samples, self.drops)
        self._credit(samples, samples.shown_s, samples.clicked, samples.purchased, late=False)
        happened = {"impressions": None, "clicks": samples.clicked, "purchases": samples.purchased}
        rows = [np.arange(len(samples)) if of is None else np.flatnonzero(of) for of in happened.values()]
        signals = [
            np.full(chosen.size, SIGNALS.index(name), np.uint8)
            for name, chosen in zip(happened, rows, strict=True)
        ]
        chosen = np.concatenate(rows)
        subjects = Subjects(
            samples.items[chosen],
            samples.categories[chosen],
            samples.scenes[chosen],
            samples.shoppers[chosen],
            regions=samples.regions[chosen],
            crowds=samples.crowds[chosen],
        )
        self._add(subjects, np.concatenate(signals), served=True)
        return samples

    def _add(self, subjects: Subjects, signals: NDArray[np.uint8], *, served: bool) -> None:
        """Counts signals, of the kinds that need what serving saw or of the others."""
        for name, table in self._tables.items():
            kind = LIVE_KINDS[name]
            if kind.served == served:
                table.add(kind.key(subjects), signals, self._tick)

    def _credit(
        self,
        of: Samples | EventColumns,
        at_s: NDArray[np.int64],
        clicked: NDArray[np.bool_],
        purchased: NDArray[np.bool_],
        *,
        late: bool,
    ) -> None:
        """Counts what was shown, or taken `late`, for the recall channels that it is due to."""
        if self._features is not None and len(of):
            found = self._features.credited.credited(of.answers, of.items, at_s)
            self._channels.add(
                found, Done(of.shoppers, of.served_s, clicked, purchased), self.drops, late=late
            )

    def _count(self, events: EventColumns) -> EventColumns:
        """Counts events of one minute; returns those of impressions whose label was known before."""
        within = self._caps.within(events)
        self.drops["shopper_cap"] += int(np.count_nonzero(~within))
        events = events.take(within)
        counts, completes, late = self._join.add(events, self.drops)
        signals = np.full(len(events), _UNCOUNTED, np.uint8)
        for code, signal in _SIGNAL_OF.items():
            signals[events.codes == code] = signal
        chosen = np.concatenate((np.flatnonzero(counts & (signals != _UNCOUNTED)), np.flatnonzero(completes)))
        signals = np.concatenate(
            (
                signals[counts & (signals != _UNCOUNTED)],
                np.full(np.count_nonzero(completes), _CLICKS, np.uint8),
            )
        )
        subjects = Subjects(
            events.items[chosen],
            events.categories[chosen],
            events.scenes[chosen],
            events.shoppers[chosen],
            events.shops[chosen],
            events.queries[chosen],
        )
        self._add(subjects, signals, served=False)
        return events.take(late)


def below(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> Arrays:
    """The arrays whose name begins with the prefix and a dot, by the rest of it."""
    head = f"{prefix}."
    return {name.removeprefix(head): array for name, array in arrays.items() if name.startswith(head)}
