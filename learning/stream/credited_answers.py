"""Answers whose items are credited to recall channels, as the feature log has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from snapshot.item_keys import item_keys
from state.feature_log.logged_page import CreditedAnswer
from state.live_counters.keys import text_key

UInt64 = NDArray[np.uint64]
UInt8 = NDArray[np.uint8]
Positions = NDArray[np.intp]


class _Kept(NamedTuple):
    """An answer, small: its items' keys, ascending, with the slots and credits in the same order."""

    served_s: int
    scene: str
    segment: str
    channels: tuple[str, ...]
    keys: bytes
    slots: bytes
    credits: bytes


class CreditedItems(NamedTuple):
    """Items of answers that are credited, m of them, all of one scene, segment and list of channels.

    rows     intp[m], the rows that were asked for
    slots    int64[m], from 0
    credits  uint8[m, c] in units of 1/`CREDIT`
    """

    scene: str
    segment: str
    channels: tuple[str, ...]
    rows: Positions
    slots: NDArray[np.int64]
    credits: UInt8


class CreditedAnswers:
    """The answers that impressions and purchases may still come for, about 500 bytes each."""

    def __init__(self, most: int, window_s: int) -> None:
        """`most`: answers kept; `window_s`: seconds after an answer for which its items are credited."""
        self._most = most
        self._window_s = window_s
        self._answers: dict[int, _Kept] = {}
        self._names: dict[tuple[str, ...], tuple[str, ...]] = {}

    def __len__(self) -> int:
        """Answers that are kept."""
        return len(self._answers)

    def note(self, answers: Sequence[CreditedAnswer], drops: Counter[str]) -> None:
        """Keeps answers; the first of those with one token. `drops`: counts those without room."""
        for answer in answers:
            key = text_key(answer.attribution_token)
            if key in self._answers:
                continue
            if len(self._answers) >= self._most:
                drops["credits_full"] += 1
                continue
            keys = item_keys(answer.item_ids)
            order = np.argsort(keys)
            names = tuple(answer.credited)
            self._answers[key] = _Kept(
                answer.ts,
                answer.scene,
                answer.segment,
                self._names.setdefault(names, names),
                keys[order].tobytes(),
                order.astype(np.uint16).tobytes(),
                answer.credits[order].tobytes(),
            )

    def forget(self, oldest_s: int) -> None:
        """Drops answers from before unix second `oldest_s`."""
        # They are about in the order of time; one behind a newer one stays until that one goes.
        while self._answers:
            first = next(iter(self._answers))
            if self._answers[first].served_s >= oldest_s:
                break
            del self._answers[first]

    def credited(self, answers: UInt64, items: UInt64, at_s: NDArray[np.int64]) -> list[CreditedItems]:
        """What items of answers, seen or taken at unix seconds `at_s`, are due to; uint64[n], int64[n].

        Items of answers that are not known, or older than the window, are left out. Groups are in the
        order of their first rows.
        """
        groups: dict[tuple[str, str, tuple[str, ...]], list[tuple[int, int, bytes]]] = {}
        unique, inverse = np.unique(answers, return_inverse=True)
        order = np.argsort(inverse, kind="stable")
        bounds = np.searchsorted(inverse[order], np.arange(unique.size + 1))
        for position, answer in enumerate(unique.tolist()):
            kept = self._answers.get(answer)
            if kept is None:
                continue
            rows = order[bounds[position] : bounds[position + 1]]
            rows = rows[at_s[rows] - kept.served_s <= self._window_s]
            keys, width = np.frombuffer(kept.keys, np.uint64), len(kept.channels)
            slots = np.frombuffer(kept.slots, np.uint16)
            at = np.searchsorted(keys, items[rows])
            known = at < keys.size
            known[known] = keys[at[known]] == items[rows[known]]
            group = groups.setdefault((kept.scene, kept.segment, kept.channels), [])
            for row, place in zip(rows[known].tolist(), at[known].tolist(), strict=True):
                group.append((row, int(slots[place]), kept.credits[place * width : (place + 1) * width]))
        made = [_of(*group, found) for group, found in groups.items() if found]
        return sorted(made, key=lambda items: int(items.rows[0]))


def _of(
    scene: str, segment: str, channels: tuple[str, ...], found: list[tuple[int, int, bytes]]
) -> CreditedItems:
    found = sorted(found)
    rows = np.array([row for row, _, _ in found], np.intp)
    slots = np.array([slot for _, slot, _ in found], np.int64)
    credits = np.frombuffer(b"".join(credit for _, _, credit in found), np.uint8)
    return CreditedItems(scene, segment, channels, rows, slots, credits.reshape(len(found), len(channels)))
