"""The hot lists' offline side: one ranked list per crowd that is large enough.

An item's heat in a crowd is Σ over the crowd's shoppers of behaviour score × 2^(−age / half-life): every
shopper counts once per item, by the latest behaviour, so that one shopper cannot heat an item alone. A
crowd's own heat per shopper is mixed with everybody's (a Dirichlet prior worth `shrinkage` shoppers),
because a small crowd's counts are mostly noise:

    heat(crowd, item) = (Σ_crowd + shrinkage · Σ_all / |all|) / (|crowd| + shrinkage)
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from recall.channel import BuildSource
from recall.hot_tables import CROWDS_FILE, FALLBACK, LISTS, Crowd, HotSettings
from recall.interactions import interactions_of
from recall.lists import ItemLists, ranked_lists
from snapshot.durable_files import write_durably

_SMALLEST_STEP = 2.0**-20


def build_tables(source: BuildSource, folder: Path, settings: HotSettings) -> dict[str, int]:
    """Write `crowds.json` and the crowds' lists into `folder`; returns the crowds and the entries."""
    taken = interactions_of(source)
    heat = taken.decayed_scores(source.now, settings.half_life_days)
    in_stock = source.catalogue.in_stock
    everybody = _heat_by_item(taken.item, heat, len(in_stock))
    shoppers = max(len(np.unique(taken.user)), 1)

    crowds, lists = [], []
    for fields in FALLBACK[:-1]:
        for crowd, members in _crowds(source.users, fields):
            rows = np.flatnonzero(np.isin(taken.user, members))
            active = len(np.unique(taken.user[rows]))
            if active < settings.minimum_users:
                continue
            own = _heat_by_item(taken.item[rows], heat[rows], len(in_stock))
            supported = np.bincount(taken.item[rows], minlength=len(in_stock)) >= settings.minimum_item_users
            mixed = (own + settings.shrinkage * everybody / shoppers) / (active + settings.shrinkage)
            listed = np.flatnonzero(supported & in_stock)
            if len(listed):
                crowds.append(crowd)
                lists.append(_ranked(listed, mixed[listed], settings.items_per_crowd))
    crowds.append(())
    lists.append(_everything_in_stock(source, everybody))

    write_durably(folder / CROWDS_FILE, msgspec.json.encode(crowds))
    return {"crowds": len(crowds), "items": _stack(lists).write(folder, LISTS)}


def _crowds(users: pl.DataFrame, fields: tuple[str, ...]) -> list[tuple[Crowd, NDArray[np.int32]]]:
    """The crowds that these fields define, and their users; shoppers who lack a field belong to none."""
    if not set(fields) <= set(users.columns):
        return []
    known = users.drop_nulls(list(fields))
    groups = known.group_by(list(fields), maintain_order=True).agg(pl.col("user"))
    return [
        (tuple(zip(fields, map(str, values), strict=True)), np.asarray(members, np.int32))
        for *values, members in groups.select(*fields, "user").iter_rows()
    ]


def _everything_in_stock(source: BuildSource, heat: NDArray[np.float64]) -> ItemLists:
    """Every item in stock: by heat, then those without any by popularity, newest first among equals."""
    catalogue = source.catalogue
    items = np.flatnonzero(catalogue.in_stock)
    items = items[items > 0]
    order = np.lexsort((items, -catalogue.created_at[items], -catalogue.popularity[items], -heat[items]))
    items = items[order]
    share = heat[items] / max(heat[items].max(initial=0), np.finfo(np.float64).tiny)
    return ItemLists(np.array([0, len(items)]), items.astype(np.int32), _below_one(share))


def _ranked(items: NDArray[np.int64], heat: NDArray[np.float64], limit: int) -> ItemLists:
    ranked = ranked_lists(np.zeros(len(items), np.int64), items, heat, 1, limit)
    return ItemLists(ranked.offsets, ranked.items, _below_one(ranked.scores / ranked.scores[0]))


def _below_one(share: NDArray[np.floating]) -> NDArray[np.float32]:
    """Shares of the hottest, kept below 1 so that a coarser list's scores stay below a finer one's."""
    below: NDArray[np.float32] = np.minimum(share, 1 - _SMALLEST_STEP).astype(np.float32)
    return below


def _heat_by_item(items: NDArray[np.int32], heat: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    return np.bincount(items, weights=heat, minlength=length).astype(np.float64)


def _stack(lists: list[ItemLists]) -> ItemLists:
    lengths = [len(one.items) for one in lists]
    return ItemLists(
        np.r_[0, np.cumsum(lengths)].astype(np.int64),
        np.concatenate([one.items for one in lists]),
        np.concatenate([one.scores for one in lists]),
    )
