"""What every shopper did, gathered from the event log into columns."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from experiments.log_tokens import LogTokens
from snapshot.event_codes import EVENT_NAMES, IMPRESSION, PURCHASE, VIEW
from state.attribution import Attribution, AttributionCodec
from state.exposure_event import EXPOSURE_PREFIX
from state.logged_event import LoggedEvent

SERVED, SEEN, CLICKED, BOUGHT_SHOWN, BOUGHT, OTHER = range(6)
"""Kinds of rows: an answer of an arm (amount: its items); an item reported as seen, one opened, one bought,
each once per item of an answer; a purchase (amount: price times quantity); anything else.

Opened and bought count of what is counted as shown: of items reported as seen where any are, else of answers
of arms.
"""

_OF_ANSWER = {IMPRESSION: SEEN, VIEW: CLICKED, PURCHASE: BOUGHT_SHOWN}


@dataclass(frozen=True, slots=True)
class Activity:
    """The rows of a log, and who was answered by which arm.

    shoppers  ids by their number
    shopper   int32[n], number of the row's shopper
    ts_ms     int64[n], unix milliseconds
    kind      uint8[n], of those above
    amount    float64[n]
    arms      experiment → arm → shopper's number → unix milliseconds of the arm's first answer
    crossed   experiment → numbers of shoppers answered by several of its arms
    unreadable  events whose token could not be read
    unpriced    purchases without a price
    anonymous   events of nobody
    """

    shoppers: tuple[str, ...]
    shopper: NDArray[np.int32]
    ts_ms: NDArray[np.int64]
    kind: NDArray[np.uint8]
    amount: NDArray[np.float64]
    arms: Mapping[str, Mapping[str, Mapping[int, int]]]
    crossed: Mapping[str, frozenset[int]]
    unreadable: int = 0
    unpriced: int = 0
    anonymous: int = 0

    @property
    def reports_what_is_seen(self) -> bool:
        """Whether clients report what shoppers see, with the token of the answer."""
        return bool((self.kind == SEEN).any())


@dataclass(slots=True)
class _Gathering:
    numbers: dict[str, int] = field(default_factory=dict)
    shopper: array[int] = field(default_factory=lambda: array("i"))
    ts_ms: array[int] = field(default_factory=lambda: array("q"))
    kind: array[int] = field(default_factory=lambda: array("B"))
    amount: array[float] = field(default_factory=lambda: array("d"))
    answer: array[int] = field(default_factory=lambda: array("q"))
    item: array[int] = field(default_factory=lambda: array("q"))
    once: set[int] = field(default_factory=set)
    arms: dict[str, dict[str, dict[int, int]]] = field(default_factory=dict)

    def add(
        self,
        shopper: int,
        event: LoggedEvent,
        kind: int,
        amount: float = 0.0,
        token: Attribution | None = None,
    ) -> None:
        """A row; keys of the answer and of its item are kept as 64-bit hashes."""
        self.shopper.append(shopper)
        self.ts_ms.append(event.timestamp_ms)
        self.kind.append(kind)
        self.amount.append(amount)
        answer = () if token is None else (shopper, token.request_id, token.scene)
        self.answer.append(hash(answer))
        self.item.append(hash((*answer, event.item_id)))

    def kind_of(self, shopper: int, event: LoggedEvent, token: Attribution) -> int:
        """The kind of an event of an answer; OTHER where the item had it before."""
        code = hash((shopper, token.request_id, token.scene, event.item_id, event.event))
        if code in self.once:
            return OTHER
        self.once.add(code)
        return _OF_ANSWER[event.event]

    def kinds(self) -> NDArray[np.uint8]:
        """uint8[n]; OTHER where something was opened or bought that is not counted as shown."""
        kind = np.array(self.kind, np.uint8)
        reported = bool((kind == SEEN).any())
        key = np.array(self.item if reported else self.answer, np.int64)
        shown = key[kind == (SEEN if reported else SERVED)]
        followed = (kind == CLICKED) | (kind == BOUGHT_SHOWN)
        kind[followed & ~np.isin(key, shown)] = OTHER
        return kind


def read_activity(
    log: Iterable[tuple[int, LoggedEvent]], attribution: AttributionCodec, since_ms: int = 0
) -> Activity:
    """The activity of a log, in one pass.

    Args:
        log: as `StateStore.read_log` gives it.
        attribution: reads the events' tokens.
        since_ms: events before this unix millisecond are left out.
    """
    tokens = LogTokens(attribution)
    found = _Gathering()
    unreadable = unpriced = anonymous = 0
    for _, event in log:
        if event.event not in EVENT_NAMES or event.timestamp_ms < since_ms:
            continue
        if not event.user_id:
            anonymous += 1
            continue
        shopper = found.numbers.setdefault(event.user_id, len(found.numbers))
        token = tokens.read(event.attribution_token) if event.attribution_token else None
        unreadable += bool(event.attribution_token) and token is None
        exposure = event.event == IMPRESSION and event.event_id.startswith(EXPOSURE_PREFIX)
        kind, amount = OTHER, 0.0
        if exposure and token is not None:
            kind, amount = SERVED, float(event.quantity)
            for experiment, arm in token.arms.items():
                firsts = found.arms.setdefault(experiment, {}).setdefault(arm, {})
                firsts[shopper] = min(firsts.get(shopper, event.timestamp_ms), event.timestamp_ms)
        elif token is not None and event.event in _OF_ANSWER:
            kind = found.kind_of(shopper, event, token)
        found.add(shopper, event, kind, amount, token)
        if event.event == PURCHASE:
            unpriced += event.price <= 0
            found.add(shopper, event, BOUGHT, max(event.price, 0.0) * event.quantity)
    return Activity(
        shoppers=tuple(found.numbers),
        shopper=np.array(found.shopper, np.int32),
        ts_ms=np.array(found.ts_ms, np.int64),
        kind=found.kinds(),
        amount=np.array(found.amount, np.float64),
        arms=found.arms,
        crossed={experiment: _crossed(arms) for experiment, arms in found.arms.items()},
        unreadable=unreadable,
        unpriced=unpriced,
        anonymous=anonymous,
    )


def _crossed(arms: Mapping[str, Mapping[int, int]]) -> frozenset[int]:
    """Those in several of the arms."""
    seen: set[int] = set()
    twice: set[int] = set()
    for firsts in arms.values():
        twice |= seen & firsts.keys()
        seen |= firsts.keys()
    return frozenset(twice)
