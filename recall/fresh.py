"""New items, drawn by Thompson sampling, each until its budget of exposures is spent.

Of every new item i a click rate is drawn (Chapelle and Li, NIPS 2011),

    θ_i ~ Beta(m · p + clicks_i,  m · (1 − p) + impressions_i − clicks_i)
    p   = (clicks_c + m · p_c) / (impressions_c + m)

and the highest are recalled. Impressions and clicks of items and of their categories c are those of the live
counters; p_c is what the log knew of the category when the tables were built; m is the prior's strength in
impressions. An item that nobody saw yet is drawn now and then above better known ones, one that was seen in
vain seldom.

Draws follow from the shopper, the day and the item (for shoppers nobody knows, from the minute), and from
what was counted, which moves them gradually (`recall.beta_draws`). What is recalled is counted as an exposure
at once, and given back where the page does not show it; no item gets more than its budget through this
channel, however many replicas there are.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.stages import EMPTY_RECALL
from recall.beta_draws import beta_draws, seed_of
from recall.channel import BuildSource, ChannelKind, Recalled, Services
from recall.fresh_settings import ITEMS, PRIOR, SINCE, FreshSettings
from recall.fresh_trials import FEATURE, ExposureBudgets, FreshTrials
from recall.query import Query
from snapshot.catalogue import Catalogue
from snapshot.columns import load_column
from snapshot.item_keys import item_keys
from snapshot.manifest import SnapshotError

NAME = "fresh"
_DAY_S = 86_400


class Fresh:
    """Draws among the new items of one snapshot."""

    name = NAME

    def __init__(
        self,
        items: NDArray[np.int32],
        since: NDArray[np.int64],
        prior: NDArray[np.float32],
        catalogue: Catalogue,
        settings: FreshSettings,
    ) -> None:
        """`since`: int64[n], unix second from which each of the items is new; `prior`: float32[n], p_c."""
        self._items, self._prior = items, np.asarray(prior, np.float64)
        self._since = since
        self._ends_at = since + int(settings.window_days * _DAY_S)
        self._keys = item_keys(catalogue.item_ids(items))
        codes, self._category = np.unique(catalogue.category[items], return_inverse=True)
        self._categories = catalogue.names("category", codes)
        self._budgets = ExposureBudgets(settings.item_budget, settings.daily_budget, self._ends_at)
        self._settings = settings

    async def recall(self, query: Query, k: int) -> Recalled:
        """At most min(k, limit) items by their draws, of items that are new and whose budget is not spent.

        No triggers. With a must, only of the items that satisfy it.
        """
        most = min(k, self._settings.limit)
        new = (self._since <= query.now) & (query.now < self._ends_at)
        if query.wish.eligible is not None:
            new &= query.wish.eligible[self._items]
        if most <= 0 or not new.any():
            return EMPTY_RECALL
        trials: FreshTrials = query.features[FEATURE]
        drawn = self._draws(trials, query)
        order = np.lexsort((self._items, -drawn))
        order = order[new[order]]
        chosen = trials.claim(query.scene, self._keys, order, most, self._budgets, query.now)
        return Recalled(
            self._items[chosen], drawn[chosen].astype(np.float32), np.zeros(chosen.size, np.int32)
        )

    def _draws(self, trials: FreshTrials, query: Query) -> NDArray[np.float64]:
        """float64[n], a click rate for each of the items."""
        strength = self._settings.prior_impressions
        of_items, of_categories = trials.counted(self._keys, self._categories, query.now)
        shown, clicked = of_categories[self._category].T.astype(np.float64)
        prior = np.clip((clicked + strength * self._prior) / (shown + strength), 1e-6, 1 - 1e-6)
        shown, clicked = of_items.T.astype(np.float64)
        missed = np.maximum(shown - clicked, 0.0)
        # Of shoppers nobody knows, by the minute: not all of them may try the same items all day.
        moment = f"{query.user_id}\0{query.now // _DAY_S}" if query.user_id else f"\0{query.now // 60}"
        return beta_draws(
            strength * prior + clicked, strength * (1 - prior) + missed, seed_of(moment), self._keys
        )


def build(source: BuildSource, folder: Path, settings: FreshSettings) -> dict[str, int]:
    """Write the new items and what is known of their categories into `folder`; returns how many there are.

    Raises NothingToRecall where no item is new.
    """
    from recall.fresh_build import build_tables

    return build_tables(source, folder, settings)


def open_channel(folder: Path, catalogue: Catalogue, services: Services, settings: FreshSettings) -> Fresh:
    """Memory-map the tables of `build`. Raises SnapshotError where they are torn or do not fit."""
    items = load_column(folder, ITEMS, np.dtype(np.int32))
    if items.size and not (items.min() > 0 and items.max() <= catalogue.size):
        raise SnapshotError(
            folder, f"{ITEMS}.npy", "has items that the catalogue lacks", "build the snapshot again"
        )
    since = load_column(folder, SINCE, np.dtype(np.int64), len(items))
    prior = load_column(folder, PRIOR, np.dtype(np.float32), len(items))
    return Fresh(items, since, prior, catalogue, settings)


CHANNEL = ChannelKind(
    settings=FreshSettings, build=build, open=open_channel, features=(FEATURE,), optional=True, waits=False
)
