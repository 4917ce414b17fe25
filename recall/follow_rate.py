"""How often a target follows a trigger, smoothed.

Click-through where the log contains impressions, else conversion.

The rate of the pair (i, j) is the mean of a Beta posterior,

    (successes_ij + m · p_j) / (trials_ij + m)

with the prior's mean p_j the rate of j after any trigger and m its strength in trials.

Conversion: a trial is a shopper who took i, a success one who took j within the window after it.
Click-through: a trial is an impression of j within the window after the shopper took i, a success one that
the shopper then viewed or took within the window.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recall.pair_blocks import Block, RunsWithin, UserEvents, pair_sums, values_at
from snapshot.log_parts import row_slices, sums_by


@dataclass(frozen=True)
class FollowRate:
    """Shoppers who took the target after the trigger, of those who took the trigger."""

    taken: UserEvents
    item_count: int
    window: int
    """Seconds."""
    strength: float
    prior: NDArray[np.float64]
    """float64[item_count + 1], the rate of each target after any trigger."""

    @classmethod
    def over(cls, taken: UserEvents, item_count: int, window: int, strength: float) -> FollowRate:
        """The rates in a log of what shoppers took, sorted by user and ts, each (user, item) once."""
        followed = sums_by(taken.item, lambda rows: _earlier(taken, rows, window), item_count + 1)
        # One follow more for every item (Laplace) keeps the rate of what never followed anything above 0.
        prior = (followed + 1) / (len(taken.item) + item_count)
        return cls(taken, item_count, window, strength, prior)

    @cached_property
    def _following(self) -> RunsWithin:
        return RunsWithin.of(self.taken, self.taken, self.window)

    @cached_property
    def _trials(self) -> NDArray[np.int64]:
        return np.bincount(self.taken.item, minlength=self.item_count + 1)

    def of(
        self, block: Block, triggers: NDArray[np.integer], targets: NDArray[np.integer]
    ) -> NDArray[np.float32]:
        """The smoothed rate of each (trigger, target), triggers inside the block; float32[n] in (0, 1]."""
        followed = pair_sums(self.taken, self.taken, self.item_count, block, _one, self._following)
        successes = values_at(followed, triggers - block[0], targets)
        return _posterior_mean(successes, self._trials[triggers], self.prior[targets], self.strength)


@dataclass(frozen=True)
class ClickRate:
    """Impressions of the target after the trigger that were clicked, of all such impressions."""

    taken: UserEvents
    shown: UserEvents
    clicked: NDArray[np.bool_]
    """bool[len(shown.item)]: the shopper viewed or took it within the window after it was shown."""
    item_count: int
    window: int
    """Seconds."""
    strength: float
    prior: NDArray[np.float64]
    """float64[item_count + 1], the click-through rate of each item, smoothed towards that of all."""

    @classmethod
    def over(
        cls, taken: UserEvents, shown: UserEvents, item_count: int, window: int, strength: float
    ) -> ClickRate:
        """The rates in a log of what was shown and what shoppers took, each sorted by user and ts."""
        clicked = np.zeros(len(shown.item), np.bool_)
        for rows in row_slices(len(shown.item)):
            part = shown.rows(rows)
            clicked[rows] = clicked_after(part, taken.of_shoppers_of(part), window)
        shows = np.bincount(shown.item, minlength=item_count + 1)
        clicks = np.bincount(shown.item, weights=clicked, minlength=item_count + 1)
        # One success in as many trials as the prior has keeps the rate above 0 in a log without a click.
        overall = min((clicks.sum() + 1) / (shows.sum() + strength), 1.0)
        prior = (clicks + strength * overall) / (shows + strength)
        return cls(taken, shown, clicked, item_count, window, strength, prior)

    @cached_property
    def _following(self) -> RunsWithin:
        return RunsWithin.of(self.taken, self.shown, self.window)

    def of(
        self, block: Block, triggers: NDArray[np.integer], targets: NDArray[np.integer]
    ) -> NDArray[np.float32]:
        """The smoothed rate of each (trigger, target), triggers inside the block; float32[n] in (0, 1]."""
        shown, clicked = (
            pair_sums(self.taken, self.shown, self.item_count, block, value, self._following)
            for value in (_one, self._clicked)
        )
        rows = triggers - block[0]
        return _posterior_mean(
            values_at(clicked, rows, targets),
            values_at(shown, rows, targets),
            self.prior[targets],
            self.strength,
        )

    def _clicked(self, trigger: NDArray[np.int64], shown: NDArray[np.int64]) -> NDArray[np.float32]:
        return self.clicked[shown].astype(np.float32)


def _one(trigger: NDArray[np.int64], target: NDArray[np.int64]) -> NDArray[np.float32]:
    return np.ones(len(target), np.float32)


def _earlier(taken: UserEvents, rows: slice, window: int) -> NDArray[np.int64]:
    """How many events the shopper of each of the rows had within the window before, int64[n]."""
    part = taken.rows(rows)
    # The event itself is one of them.
    return events_within(taken.of_shoppers_of(part), part, window) - 1


def events_within(events: UserEvents, at: UserEvents, window: int) -> NDArray[np.int64]:
    """How many `events` the shopper of each event of `at` had in [ts − window, ts]; int64[n].

    Both are sorted by user, `events` by user and ts.
    """
    # User and time in one sorted key; spread so that a window never reaches into the next user's run.
    earliest = min(events.ts.min(initial=0), at.ts.min(initial=0) - window)
    spread = int(max(events.ts.max(initial=0), at.ts.max(initial=0)) - earliest) + 1
    keys = events.user.astype(np.int64) * spread + (events.ts - earliest)
    at_key = at.user.astype(np.int64) * spread + (at.ts - earliest)
    counts: NDArray[np.int64] = np.searchsorted(keys, at_key, side="right") - np.searchsorted(
        keys, at_key - window, side="left"
    )
    return counts


def clicked_after(shown: UserEvents, responses: UserEvents, window: int) -> NDArray[np.bool_]:
    """Whether each impression's shopper responded to the very item within `window` seconds; bool[n]."""
    if len(responses.item) == 0:
        return np.zeros(len(shown.item), bool)
    order = np.lexsort((responses.ts, responses.item, responses.user))
    user, item, ts = responses.user[order], responses.item[order], responses.ts[order]
    pair = np.r_[responses.item, shown.item].max() + 1
    keys = user.astype(np.int64) * pair + item
    shown_keys = shown.user.astype(np.int64) * pair + shown.item
    pairs = np.unique(keys)
    run = np.minimum(np.searchsorted(pairs, shown_keys), len(pairs) - 1)
    same = pairs[run] == shown_keys
    # Rank of the pair and time in one sorted key finds the first response not before the impression.
    earliest = min(ts.min(), shown.ts.min(initial=ts.min()))
    spread = int(max(ts.max(), shown.ts.max(initial=ts.max())) - earliest) + 1
    rank = np.searchsorted(pairs, keys)
    at = np.searchsorted(rank * spread + (ts - earliest), run * spread + (shown.ts - earliest))
    at_known = np.minimum(at, len(ts) - 1)
    clicked: NDArray[np.bool_] = (
        same & (at < len(ts)) & (rank[at_known] == run) & (ts[at_known] - shown.ts <= window)
    )
    return clicked


def _posterior_mean(
    successes: NDArray[np.floating], trials: NDArray[np.number], prior: NDArray[np.floating], strength: float
) -> NDArray[np.float32]:
    mean: NDArray[np.float32] = ((successes + strength * prior) / (trials + strength)).astype(np.float32)
    return mean
