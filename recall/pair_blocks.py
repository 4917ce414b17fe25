"""Sums over pairs of what a shopper did: exact, in blocks of trigger items that bound the memory.

For a trigger item i and a target item j: the sum of a value over all pairs of a shopper's events of i and
of j. The value may be anything of the two events (a time decay, an indicator), so the sum is no plain
matrix product of shopper × item matrices. It is one once the pairs are laid out: with K (trigger events ×
items; each row holds one trigger event's values against every target event of its shopper) and S (items ×
trigger events, ones), the sum is S·K.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from snapshot.columns import rows_between
from snapshot.growing_columns import mapped_order
from snapshot.log_parts import row_slices, sums_by
from snapshot.partition_work import joined

Block = tuple[int, int]
"""Trigger items start…stop − 1."""

PairValue = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float32]]
"""(positions of trigger events, positions of target events) → the value of each pair, float32."""


Runs = Callable[[NDArray[np.int64]], tuple[NDArray[np.int64], NDArray[np.int64]]]
"""Positions of trigger events → where the run of target events that each meets starts, and its length."""


@dataclass(frozen=True)
class UserEvents:
    """Events as columns of equal length, sorted by user: user and item int32, ts int64 (unix seconds)."""

    user: NDArray[np.int32]
    item: NDArray[np.int32]
    ts: NDArray[np.int64]

    def rows(self, rows: slice) -> UserEvents:
        """Some of the events, in the same memory."""
        return UserEvents(self.user[rows], self.item[rows], self.ts[rows])

    def of_shoppers_of(self, others: UserEvents) -> UserEvents:
        """The events of the shoppers from the first to the last of `others`, which have one or more."""
        return self.rows(rows_between(self.user, int(others.user[0]), int(others.user[-1]) + 1))

    def runs(self, users: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where the events of each of the users start and how many there are, int64[n] each."""
        first = np.searchsorted(self.user, users, side="left")
        return first, np.searchsorted(self.user, users, side="right") - first

    @cached_property
    def _by_item(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The order of the events by item, and where in it the events of each item begin."""
        begins = np.concatenate((np.zeros(1, np.int64), np.cumsum(np.bincount(self.item))))
        return mapped_order(self.item, begins), begins

    def of_items(self, block: Block) -> NDArray[np.int64]:
        """Positions of the events of a block of items, by item and then as they are; int64[n]."""
        order, begins = self._by_item
        first, after = np.minimum(block, len(begins) - 1).tolist()
        return order[begins[first] : begins[after]]


@dataclass(frozen=True)
class RunsWithin:
    """The targets that follow a trigger of the same shopper within a window; both sorted by user and ts."""

    keys: NDArray[np.int64]
    """int64[targets], user and time in one sorted number."""
    trigger_keys: NDArray[np.int64]
    """int64[triggers], the same of the triggers."""
    window: int
    """Seconds."""

    @classmethod
    def of(cls, triggers: UserEvents, targets: UserEvents, window: int) -> RunsWithin:
        """Those in [ts, ts + window] of each trigger."""
        earliest = min(triggers.ts.min(initial=0), targets.ts.min(initial=0))
        latest = max(triggers.ts.max(initial=0), targets.ts.max(initial=0))
        # Spread so that a window never reaches into the next user's run.
        spread = int(latest - earliest) + window + 1
        keys = _keys(targets, earliest, spread)
        return cls(keys, keys if triggers is targets else _keys(triggers, earliest, spread), window)

    def __call__(self, triggers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where the run of each of these triggers starts in the targets and how long it is, int64[n] each."""
        at = self.trigger_keys[triggers]
        first = np.searchsorted(self.keys, at, side="left")
        return first, np.searchsorted(self.keys, at + self.window, side="right") - first


def _keys(events: UserEvents, earliest: int, spread: int) -> NDArray[np.int64]:
    """int64[n]: user and time of each event in one number, mapped from a file where there are many."""
    parts = (
        {"key": events.user[rows].astype(np.int64) * spread + (events.ts[rows] - earliest)}
        for rows in row_slices(max(len(events.user), 1))
    )
    return joined(parts)["key"]


def pairs_by_trigger(triggers: UserEvents, targets: UserEvents, item_count: int) -> NDArray[np.float64]:
    """How many pairs each trigger item 0…item_count has; float64[item_count + 1], whole numbers."""
    return sums_by(triggers.item, lambda rows: targets.runs(triggers.user[rows])[1], item_count + 1)


def trigger_blocks(pairs: NDArray[np.float64], pairs_per_block: int, within: Block) -> Iterator[Block]:
    """Blocks over the items of `within`, each of at most `pairs_per_block` pairs or of a single item.

    pairs: float64[N + 1], as `pairs_by_trigger` counts them.
    """
    pairs_so_far = np.cumsum(pairs)
    start, end = within
    while start < end:
        full = np.searchsorted(pairs_so_far, pairs_so_far[start - 1] + pairs_per_block, side="right")
        stop = min(max(int(full), start + 1), end)
        yield start, stop
        start = stop


def pair_sums(
    triggers: UserEvents,
    targets: UserEvents,
    item_count: int,
    block: Block,
    value: PairValue,
    runs: Runs | None = None,
) -> sp.csr_matrix:
    """Sum `value` over the pairs whose trigger item lies in the block.

    Args:
        triggers: events that pairs begin with.
        targets: events that they end with.
        item_count: N.
        block: of trigger items.
        value: of each pair.
        runs: which targets each trigger event meets; None = all of its shopper's.

    Returns:
        float32[stop − start, item_count + 1]. Pairs of an item with itself and pairs of value 0 leave no
        entry.
    """
    start, stop = block
    chosen = triggers.of_items(block)
    first, met = targets.runs(triggers.user[chosen]) if runs is None else runs(chosen)
    ends = np.cumsum(met)
    total = int(ends[-1]) if len(ends) else 0

    target = np.arange(total) + np.repeat(first - (ends - met), met)
    values = value(np.repeat(chosen, met), target)
    item = targets.item[target]
    counts = np.flatnonzero((values != 0) & (np.repeat(triggers.item[chosen], met) != item))
    row_ends = np.r_[0, np.searchsorted(counts, ends)]
    kernel = sp.csr_matrix((values[counts], item[counts], row_ends), shape=(len(chosen), item_count + 1))
    item_ends = np.searchsorted(triggers.item[chosen], np.arange(start, stop + 1))
    by_item = sp.csr_matrix(
        (np.ones(len(chosen), np.float32), np.arange(len(chosen)), item_ends),
        shape=(stop - start, len(chosen)),
    )
    return by_item @ kernel


def values_at(
    sums: sp.csr_matrix, rows: NDArray[np.integer], columns: NDArray[np.integer]
) -> NDArray[np.float32]:
    """Entries of a sparse matrix at the given positions, 0 where there is none; float32[n]."""
    if len(rows) == 0:
        return np.empty(0, np.float32)
    sums.sort_indices()
    return np.asarray(sums[rows, columns], np.float32).ravel()
