"""Trials of new items: the live counters of items and categories, and the budgets of exposures."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from recall.fresh_trials import NO_TRIALS, ExposureBudgets, FreshTrials
from router.query_features.kind import FeatureRequest, QueryFeatureKind
from state.live_counters.decay import HALF_LIVES_S, SIGNALS
from state.live_counters.keys import text_key
from state.live_counters.kinds import UNKNOWN, Subjects
from state.live_counters.live_counters import LiveCounters
from state.plan_counts.budget_ledger import Budget, Budgets

_WEEK = list(HALF_LIVES_S).index("7d")
_SHOWN_CLICKED = [SIGNALS.index(signal) for signal in ("impressions", "clicks")]
_DAY_S = 86_400


class RequestTrials:
    """The trials of one request, of all of its scenes."""

    def __init__(self, live: LiveCounters, budgets: Budgets) -> None:
        """`live`: as published now; `budgets`: this replica's."""
        self._live = live
        self._budgets = budgets
        self._claimed: dict[str, dict[int, str]] = {}
        self._of_day: dict[str, str] = {}

    def counted(
        self, item_keys: NDArray[np.uint64], categories: Sequence[str], now: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """As `FreshTrials.counted`."""
        names = np.array([_category_key(name) for name in categories], np.uint64)
        return self._counts("item", item_keys, names, now), self._counts("category", names, names, now)

    def _counts(
        self, kind: str, items: NDArray[np.uint64], categories: NDArray[np.uint64], now: int
    ) -> NDArray[np.float32]:
        counts = self._live.counts(kind, Subjects(items, categories, UNKNOWN, UNKNOWN), now)
        return counts[:, _WEEK, _SHOWN_CLICKED]

    def claim(
        self,
        scene: str,
        item_keys: NDArray[np.uint64],
        order: NDArray[np.int64],
        most: int,
        budgets: ExposureBudgets,
        now: int,
    ) -> NDArray[np.int64]:
        """As `FreshTrials.claim`."""
        if budgets.daily is not None:
            day = now // _DAY_S
            daily = Budget(f"fresh day {day}", budgets.daily, (day + 1) * _DAY_S)
            most = self._budgets.spend(daily, most)
            self._of_day[scene] = daily.id
        claimed = self._claimed.setdefault(scene, {})
        chosen: list[int] = []
        for position in order.tolist():
            if len(chosen) == most:
                break
            key = int(item_keys[position])
            budget = Budget(f"fresh item {key:016x}", budgets.each, int(budgets.ends_at[position]))
            if self._budgets.spend(budget, 1):
                claimed[key] = budget.id
                chosen.append(position)
        if scene in self._of_day and most > len(chosen):
            self._budgets.give_back(self._of_day[scene], most - len(chosen))
        return np.array(chosen, np.int64)

    def settle(self, scene: str, shown: NDArray[np.uint64]) -> None:
        """Gives back what was claimed for a scene of the items, by key, that its page does not show.

        What a request claimed that has no page stays spent.
        """
        claimed = self._claimed.pop(scene, {})
        unused = claimed.keys() - set(shown.tolist())
        for key in unused:
            self._budgets.give_back(claimed[key], 1)
        daily = self._of_day.pop(scene, None)
        if daily is not None and unused:
            self._budgets.give_back(daily, len(unused))


@lru_cache(1 << 14)
def _category_key(name: str) -> int:
    """Key of a category by which it is counted."""
    return text_key(name)


async def hydrate(request: FeatureRequest) -> FreshTrials:
    """Those of the request; without budgets, of pages that nobody sees, nothing is counted."""
    if request.budgets is None:
        return NO_TRIALS
    return RequestTrials(request.live.counters, request.budgets)


FEATURE = QueryFeatureKind(
    hydrate=hydrate,
    default=NO_TRIALS,
    waits=False,
    from_learner=True,
    description="Impressions and clicks of new items, and what is left of their budgets of exposures: "
    "FreshTrials.",
)
