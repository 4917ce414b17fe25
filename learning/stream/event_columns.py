"""Events of the log as columns, without what cannot be learned from, which is counted by reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from learning.stream.settings import StreamSettings
from recall.search.words import folded
from snapshot.catalogue import Catalogue
from snapshot.event_codes import EVENT_NAMES, HISTORY_CODES, IMPRESSION, REMOVE_FROM_CART
from snapshot.item_keys import item_keys
from state.attribution import MAX_AHEAD_S, Attribution, AttributionCodec
from state.errors import AttributionError
from state.exposure_event import EXPOSURE_PREFIX
from state.live_counters.keys import CatalogueKeys, combined, text_key
from state.logged_event import LoggedEvent

UInt64 = NDArray[np.uint64]
_MOST_CACHED = 50_000
_HISTORY = frozenset(HISTORY_CODES.values())
_DTYPES = (np.int64, np.uint8, np.uint64, np.uint64, np.uint64, np.int64, np.uint64, np.int32, np.uint64)


@dataclass(frozen=True, slots=True, eq=False)
class EventColumns:
    """n events in the order of the log.

    log_s       int64[n], unix seconds: the latest arrival up to here, so that it never falls
    codes       uint8[n], `snapshot.event_codes.HISTORY_CODES`
    shoppers    uint64[n]
    items       uint64[n], item keys
    categories  uint64[n], 0 where the item has none
    shops       uint64[n], 0 where the item has none
    scenes      uint64[n], 0 where unknown
    queries     uint64[n], of the search query behind the event, 0 where there is none
    answers     uint64[n], of the attribution token; 0 where the event belongs to no answer
    served_s    int64[n], unix seconds at which that answer was made, likewise
    pairs       uint64[n], one for each item of each answer, likewise
    positions   int32[n], slot on the page from 1, 0 where unknown
    weathers    uint64[n], keys of the alerts in force when that answer was made, 0 where there were none
    """

    log_s: NDArray[np.int64]
    codes: NDArray[np.uint8]
    shoppers: UInt64
    items: UInt64
    categories: UInt64
    shops: UInt64
    scenes: UInt64
    queries: UInt64
    answers: UInt64
    served_s: NDArray[np.int64]
    pairs: UInt64
    positions: NDArray[np.int32]
    weathers: UInt64

    def take(self, chosen: NDArray[np.bool_] | slice) -> EventColumns:
        """The events of a mask bool[n] or a slice."""
        return EventColumns(*(getattr(self, field.name)[chosen] for field in fields(self)))

    def __len__(self) -> int:
        """Number of events."""
        return self.log_s.size


class _Answer(NamedTuple):
    """The answer that an event belongs to; 0: none.

    Keys of its token and scene, when it was made, and the key of the alerts in force then.
    """

    token: int
    scene: int
    served_s: int
    weather: int = 0


class _Token(NamedTuple):
    """A decoded attribution token, or why it is none."""

    key: int
    attribution: Attribution | None
    reason: str


class EventReader:
    """Makes columns of logged events; they follow from the log, never from the time of reading."""

    def __init__(self, settings: StreamSettings, codec: AttributionCodec) -> None:
        """`codec`: decodes attribution tokens."""
        self._settings = settings
        self._codec = codec
        self._tokens: dict[str, _Token] = {}
        self._texts: dict[str, int] = {}
        self._queries: dict[str, int] = {}
        self._catalogue: Catalogue | None = None
        self._keys: CatalogueKeys | None = None

    def use(self, catalogue: Catalogue) -> None:
        """Items and categories are those of this catalogue from now on."""
        self._catalogue = catalogue
        self._keys = CatalogueKeys.of(catalogue)

    def groups(self, items: UInt64) -> tuple[UInt64, UInt64]:
        """As `StreamState.groups`."""
        if self._catalogue is None or self._keys is None:
            raise ValueError("there is no catalogue yet; call use first")
        dense = self._catalogue.dense_from_keys(items)
        return self._keys.categories[dense], self._keys.shops[dense]

    def read(
        self, events: Sequence[LoggedEvent], log_s: int, scenes: Collection[str], drops: Counter[str]
    ) -> tuple[EventColumns, NDArray[np.int64]]:
        """The events that count, and the `log_s` of all, int64[len(events)].

        Args:
            events: of the log, in its order.
            log_s: unix second of the latest arrival before them.
            scenes: names of the scenes that there are.
            drops: counts what does not count, by reason.
        """
        if self._catalogue is None or self._keys is None:
            raise ValueError("there is no catalogue yet; call use first")
        arrived = np.fromiter((event.arrived_ms // 1_000 for event in events), np.int64, len(events))
        every_log_s = np.maximum(np.maximum.accumulate(arrived), log_s)
        rows: list[tuple[int, ...]] = []
        ids: list[str] = []
        for event, log_s in zip(events, every_log_s.tolist(), strict=True):
            reason = self._fault(event)
            if reason:
                drops[reason] += 1
                continue
            answer = self._answer(event, scenes, drops)
            if event.event == IMPRESSION and not answer.token:
                continue
            ids.append(event.item_id)
            shopper, query = self._text_key(event.user_id), self._query_key(event.query)
            position = min(max(event.position, 0), 1_000_000)
            rows.append(
                (
                    log_s,
                    event.event,
                    shopper,
                    answer.scene,
                    answer.token,
                    answer.served_s,
                    query,
                    position,
                    answer.weather,
                )
            )
        by_column = zip(*rows, strict=True) if rows else ((),) * len(_DTYPES)
        log, codes, shoppers, scene_keys, answers, served_s, queries, positions, weathers = (
            np.array(values, dtype) for values, dtype in zip(by_column, _DTYPES, strict=True)
        )
        keys = item_keys(ids)
        dense = self._catalogue.dense_from_keys(keys)
        found = EventColumns(
            log,
            codes,
            shoppers,
            keys,
            self._keys.categories[dense],
            self._keys.shops[dense],
            scene_keys,
            queries,
            answers,
            served_s,
            np.where(answers != 0, combined(answers, keys), np.uint64(0)),
            positions,
            weathers,
        )
        known = dense != 0
        unknown = int(np.count_nonzero(~known))
        if unknown:
            drops["unknown_item"] += unknown
            found = found.take(known)
        return found, every_log_s

    def _fault(self, event: LoggedEvent) -> str:
        """Why an event does not count at all; "" where it may."""
        if event.event not in _HISTORY:
            if event.event == REMOVE_FROM_CART:
                return "cart_removal"
            return "correction" if event.event in EVENT_NAMES else "feedback"
        if event.event_id.startswith(EXPOSURE_PREFIX):
            return "exposure"
        if event.timestamp_ms <= 0:
            return "no_time"
        behind_ms = event.arrived_ms - event.timestamp_ms
        if behind_ms > self._settings.most_behind_s * 1_000:
            return "late"
        if behind_ms < -MAX_AHEAD_S * 1_000:
            return "ahead"
        return "" if event.user_id and event.item_id else "no_id"

    def _answer(self, event: LoggedEvent, scenes: Collection[str], drops: Counter[str]) -> _Answer:
        if not event.attribution_token:
            if event.event == IMPRESSION:
                drops["impression_without_token"] += 1
            return _Answer(0, self._text_key(event.scene) if event.scene in scenes else 0, 0)
        token = self._token(event.attribution_token)
        reason = token.reason
        if token.attribution is not None:
            reason = self._why_outside(event, token.attribution, scenes)
        if reason or token.attribution is None:
            drops[f"token_{reason}"] += 1
            return _Answer(0, 0, 0)
        made = token.attribution
        weather = self._text_key(made.weather) if made.weather else 0
        return _Answer(token.key, self._text_key(made.scene), made.issued_at, weather)

    def _why_outside(self, event: LoggedEvent, token: Attribution, scenes: Collection[str]) -> str:
        try:
            self._codec.check_age(token, event.arrived_ms / 1_000)
        except AttributionError as error:
            return error.kind
        if token.scene not in scenes:
            return "unknown_scene"
        return token.outside(event.user_id, event.item_id)

    def _token(self, text: str) -> _Token:
        found = self._tokens.get(text)
        if found is None:
            if len(self._tokens) >= _MOST_CACHED:
                self._tokens.clear()
            try:
                found = _Token(text_key(text), self._codec.decode(text), "")
            except AttributionError as error:
                found = _Token(0, None, error.kind)
            self._tokens[text] = found
        return found

    def _query_key(self, query: str) -> int:
        """Of a search query, however it is written; 0 where there is none."""
        if not query:
            return 0
        found = self._queries.get(query)
        if found is None:
            if len(self._queries) >= _MOST_CACHED:
                self._queries.clear()
            found = self._queries[query] = text_key(folded(query))
        return found

    def _text_key(self, text: str) -> int:
        found = self._texts.get(text)
        if found is None:
            if len(self._texts) >= _MOST_CACHED:
                self._texts.clear()
            found = self._texts[text] = text_key(text)
        return found
