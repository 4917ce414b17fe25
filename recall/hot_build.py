"""The hot lists' offline side: one ranked list per crowd that is large enough.

An item's heat in a crowd is Σ over the crowd's shoppers of behaviour score × 2^(−age / half-life): every
shopper counts once per item, by the latest behaviour, so that one shopper cannot heat an item alone. A
crowd's own heat per shopper is mixed with everybody's (a Dirichlet prior worth `shrinkage` shoppers),
because a small crowd's counts are mostly noise:

    heat(crowd, item) = (Σ_crowd + shrinkage · Σ_all / |all|) / (|crowd| + shrinkage)
"""

from __future__ import annotations

from collections.abc import Iterator
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
    in_stock = source.catalogue.in_stock
    everybody = taken.heat(source.now, settings.half_life_days, len(in_stock))
    shoppers = max(len(np.unique(taken.user)), 1)

    crowds: list[Crowd] = []
    lists: list[ItemLists] = []
    for fields in FALLBACK[:-1]:
        for crowd, rows in _crowds(source.users, fields, taken.user):
            active = len(np.unique(taken.user[rows]))
            if active < settings.minimum_users:
                continue
            # Of the crowd's own items alone: there are hundreds of crowds, each with few of the catalogue's.
            items, number = np.unique(taken.item[rows], return_inverse=True)
            own = np.bincount(number, taken.decayed_scores(source.now, settings.half_life_days, rows))
            mixed = (own + settings.shrinkage * everybody[items] / shoppers) / (active + settings.shrinkage)
            listed = (np.bincount(number) >= settings.minimum_item_users) & in_stock[items]
            if listed.any():
                crowds.append(crowd)
                lists.append(_ranked(items[listed], mixed[listed], settings.items_per_crowd))
    crowds.append(())
    lists.append(_everything_in_stock(source, everybody))

    write_durably(folder / CROWDS_FILE, msgspec.json.encode(crowds))
    return {"crowds": len(crowds), "items": _stack(lists).write(folder, LISTS)}


def _crowds(
    users: pl.DataFrame, fields: tuple[str, ...], user: NDArray[np.int32]
) -> Iterator[tuple[Crowd, NDArray[np.int64]]]:
    """The crowds that these fields define, and the rows of their shoppers, ascending.

    Shoppers who lack a field belong to none.

    Args:
        users: of the data set.
        fields: columns of it.
        user: the shopper of each row.
    """
    if not set(fields) <= set(users.columns):
        return
    known = users.drop_nulls(list(fields))
    groups = known.group_by(list(fields), maintain_order=True).agg(pl.col("user"))
    crowd_of = np.full(int(max(users["user"].max() or 0, user.max(initial=0))) + 1, groups.height, np.int32)
    for number, members in enumerate(groups["user"]):
        crowd_of[members.to_numpy()] = number
    # Sorted once for all crowds: looking each crowd's shoppers up in the whole log grows with both.
    crowd = crowd_of[user]
    order = np.argsort(crowd, kind="stable")
    ends = np.cumsum(np.bincount(crowd, minlength=groups.height + 1))
    for number, values in enumerate(groups.select(fields).iter_rows()):
        begin = ends[number - 1] if number else 0
        yield tuple(zip(fields, map(str, values), strict=True)), order[begin : ends[number]]


def _everything_in_stock(source: BuildSource, heat: NDArray[np.float64]) -> ItemLists:
    """Every item in stock: by heat, then those without any by popularity, newest first among equals."""
    catalogue = source.catalogue
    items = np.flatnonzero(catalogue.in_stock)
    items = items[items > 0]
    order = np.lexsort((items, -catalogue.created_at[items], -catalogue.popularity[items], -heat[items]))
    items = items[order]
    share = heat[items] / max(heat[items].max(initial=0), np.finfo(np.float64).tiny)
    return ItemLists(np.array([0, len(items)]), items.astype(np.int32), _below_one(share))


def _ranked(items: NDArray[np.integer], heat: NDArray[np.float64], limit: int) -> ItemLists:
    ranked = ranked_lists(np.zeros(len(items), np.int64), items, heat, 1, limit)
    return ItemLists(ranked.offsets, ranked.items, _below_one(ranked.scores / ranked.scores[0]))


def _below_one(share: NDArray[np.floating]) -> NDArray[np.float32]:
    """Shares of the hottest, kept below 1 so that a coarser list's scores stay below a finer one's."""
    below: NDArray[np.float32] = np.minimum(share, 1 - _SMALLEST_STEP).astype(np.float32)
    return below


def _stack(lists: list[ItemLists]) -> ItemLists:
    lengths = [len(one.items) for one in lists]
    return ItemLists(
        np.r_[0, np.cumsum(lengths)].astype(np.int64),
        np.concatenate([one.items for one in lists]),
        np.concatenate([one.scores for one in lists]),
    )
