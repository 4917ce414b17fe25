"""Which items are new, and click rates of categories by the log: `fresh`'s offline side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recall.channel import BuildSource, NothingToRecall
from recall.fresh_settings import ITEMS, PRIOR, SINCE, FreshSettings
from snapshot.columns import save_column
from snapshot.event_codes import IMPRESSION

_DAY_S = 86_400
_TYPICAL_ITEMS = 20.0
"""Items of everything together that are mixed into a category where the log has no impressions."""
_LEAST, _MOST = 0.1, 10.0
"""Bounds of a category's rate, in parts of the rate of all."""


def build_tables(source: BuildSource, folder: Path, settings: FreshSettings) -> dict[str, int]:
    """Write the newest items, since when they are new, and their categories' click rates.

    An item is new from `created_at` on; where the catalogue does not say, from its first event on, and where
    it has none, from `source.now` on. Raises NothingToRecall where no item is new.
    """
    catalogue = source.catalogue
    since = _since(source)
    new = catalogue.in_stock & (since <= source.now) & (since > source.now - settings.window_days * _DAY_S)
    new[0] = False
    items = np.flatnonzero(new)
    if not items.size:
        raise NothingToRecall(f"no item in stock is newer than {settings.window_days:g} days")
    items = items[np.lexsort((items, -since[items]))][: settings.max_items]
    items.sort()
    save_column(folder, ITEMS, items.astype(np.int32))
    save_column(folder, SINCE, since[items])
    save_column(folder, PRIOR, _category_rates(source, settings)[catalogue.category[items]])
    return {ITEMS: len(items)}


def _since(source: BuildSource) -> NDArray[np.int64]:
    """int64[N + 1], unix seconds."""
    created = np.asarray(source.catalogue.created_at, np.int64)
    first = source.events.filter(pl.col("ts") <= source.now).group_by("item").agg(pl.col("ts").min())
    seen = np.full(created.size, source.now, np.int64)
    seen[first["item"].to_numpy()] = first["ts"].to_numpy()
    return np.where(created > 0, created, seen)


def _category_rates(source: BuildSource, settings: FreshSettings) -> NDArray[np.float32]:
    """float32[categories + 1] in (0, 1): clicks per impression, smoothed by those of all items.

    In a log without impressions a category's rate is the base rate times what its items are taken in
    proportion to all items.
    """
    catalogue, strength = source.catalogue, settings.prior_impressions
    count = catalogue.category_count + 1
    past = source.events.filter(pl.col("ts") <= source.now)
    shown = past["event"].to_numpy() == IMPRESSION
    category = catalogue.category[past["item"].to_numpy()]
    taken = np.bincount(category[~shown], minlength=count).astype(np.float64)
    if shown.any():
        shows = np.bincount(category[shown], minlength=count)
        rate = min((taken.sum() + 1) / (shows.sum() + 1 / settings.base_rate), 0.5)
        rates = (taken + strength * rate) / (shows + strength)
    else:
        listed = np.bincount(catalogue.category[1:], minlength=count)
        typical = taken.sum() / max(listed.sum(), 1)
        pull = (taken + _TYPICAL_ITEMS * typical) / ((listed + _TYPICAL_ITEMS) * max(typical, 1e-9))
        rate = settings.base_rate
        rates = rate * (pull if typical else np.ones(count))
    return np.asarray(np.clip(rates, _LEAST * rate, min(_MOST * rate, 0.5)), np.float32)
