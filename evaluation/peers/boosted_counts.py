"""Boosted trees over counts: how often and when a shopper took an item and its category; how it sells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.peer_settings import BoostedCountsSettings
from evaluation.peers.past_events import DAY, PastEvents
from features.memory import DAYS, HALF_LIVES_DAYS, NEWEST, SPAN, Past, memory, past_of

LIBRARY = "lightgbm"
"""Of the extra `rankers`."""


@dataclass(frozen=True, slots=True)
class ItemCounts:
    """How items sell up to a time.

    values: float32[N+1, 4], logarithms of behaviours that count half after each of
    `features.memory.HALF_LIVES_DAYS`, and of shoppers; best: int32[p], the most popular of the last weeks.
    """

    values: NDArray[np.float32]
    best: NDArray[np.int32]

    @classmethod
    def before(cls, past: PastEvents, now: int, popular: int) -> ItemCounts:
        """Of the behaviours strictly before `now`, unix seconds."""
        early = past.ts < now
        item, user = past.item[early], past.user[early]
        age, size = (now - past.ts[early]) / DAY, past.items + 1
        decayed = [np.bincount(item, np.exp2(-age / half), size) for half in HALF_LIVES_DAYS]
        pairs = np.unique(user.astype(np.int64) * size + item)
        columns = (*decayed, np.bincount(pairs % size, minlength=size))
        order = np.argsort(-decayed[1], kind="stable")[:popular].astype(np.int32)
        return cls(np.log1p(np.stack(columns, axis=1)).astype(np.float32), order[decayed[1][order] > 0])


@dataclass(frozen=True, slots=True)
class BoostedCounts:
    """LightGBM (Ke et al., NIPS 2017) over counts alone, on what shoppers took in the last days of the past.

    Scored are the shopper's own items and the most popular ones. model: a `lightgbm.Booster`; past: all that
    is known; counts: of the items up to its end; category: int[N+1].
    """

    model: Any
    past: PastEvents
    counts: ItemCounts
    category: NDArray[np.integer]

    @classmethod
    def fit(
        cls, past: PastEvents, category: NDArray[np.integer], settings: BoostedCountsSettings, seed: int
    ) -> BoostedCounts | None:
        """None where nobody took anything in those days. Raises ImportError without the library.

        Of a log shorter than three times `learned_days`, a third is learned of: the rest are the counts.
        """
        import lightgbm

        whole = past.now - int(past.ts.min(initial=past.now))
        begin = past.now - min(round(settings.learned_days * DAY), whole // 3)
        late = past.ts >= begin
        shoppers = np.unique(past.user[late])
        rng = np.random.default_rng(seed)
        shoppers = np.sort(rng.permutation(shoppers)[: settings.max_shoppers])
        counts = ItemCounts.before(past, begin, settings.popular)
        inputs, taken = [], []
        for user in shoppers.tolist():
            first, last = past.offsets[user], past.offsets[user + 1]
            cut = int(first + np.searchsorted(past.ts[first:last], begin))
            items = _candidates(past.item[first:cut], counts)
            inputs.append(_inputs(items, past.item[first:cut], past.ts[first:cut], begin, counts, category))
            taken.append(np.isin(items, past.item[cut:last]))
        if not taken or not np.concatenate(taken).any():
            return None
        parameters = {
            "objective": "binary",
            "learning_rate": settings.learning_rate,
            "num_leaves": settings.leaves,
            "min_data_in_leaf": settings.least_in_leaf,
            "lambda_l2": 1.0,
            "seed": seed,
            "deterministic": True,
            "num_threads": 1,
            "verbosity": -1,
        }
        data = lightgbm.Dataset(np.concatenate(inputs), np.concatenate(taken).astype(np.float32))
        model = lightgbm.train(parameters, data, settings.trees)
        return cls(model, past, ItemCounts.before(past, past.now, settings.popular), category)

    def scores(self, users: NDArray[np.int32]) -> NDArray[np.float32]:
        """float32[B, N+1], as a `Peer`; 0 for items that are not scored."""
        past = self.past
        scores = np.zeros((len(users), past.items + 1), np.float32)
        for row, user in enumerate(users.tolist()):
            own = slice(past.offsets[user], past.offsets[user + 1])
            items = _candidates(past.item[own], self.counts)
            inputs = _inputs(items, past.item[own], past.ts[own], past.now, self.counts, self.category)
            if items.size:
                scores[row, items] = self.model.predict(inputs, num_threads=1)
        return scores


def _candidates(taken: NDArray[np.int32], counts: ItemCounts) -> NDArray[np.int32]:
    return np.union1d(taken, counts.best).astype(np.int32)


def _inputs(
    items: NDArray[np.int32],
    touched: NDArray[np.int32],
    ts: NDArray[np.int64],
    now: int,
    counts: ItemCounts,
    category: NDArray[np.integer],
) -> NDArray[np.float32]:
    """float32[n, 25]: memories of items and of their categories, rhythm, the shopper, and how items sell.

    touched, ts: the shopper's h behaviours, oldest first.
    """
    past = past_of(np.zeros(touched.size, np.uint8), ts[::-1], now)
    of_item = memory(items, touched[::-1], past)
    of_category = memory(category[items], category[touched[::-1]], past)
    visits = max(past.visits, 1)
    gap = of_item[SPAN] / np.maximum(of_item[DAYS] - 1, 1)
    rows = (
        *of_item,
        *of_category,
        of_item[DAYS] / visits,
        gap,
        np.where(of_item[DAYS] > 1, of_item[NEWEST] / np.maximum(gap, 0.5), 0),
        *(np.full(items.size, value) for value in _shopper(past, visits)),
        *counts.values[items].T,
    )
    return np.stack(rows, axis=1).astype(np.float32)


def _shopper(past: Past, visits: int) -> tuple[float, float]:
    return float(past.age.size), float(visits)
