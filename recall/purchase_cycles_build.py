"""Learns how soon shoppers buy again, from spells between purchases. Offline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.return_hazard import (
    GRID_DAYS,
    cumulative_hazards,
    days_that_follow,
    hazard_at,
    rates_after,
)
from recall.channel import BuildSource
from recall.purchase_cycles import RATIO, SAME_ITEM, USUAL, PurchaseCycles, PurchaseCycleTableSettings
from recall.standard_categories import COARSE, FINE, StandardCategories
from recall.standard_categories import NAME as CATEGORIES
from recall.standard_categories import open_table as open_categories
from snapshot.columns import save_column
from snapshot.event_codes import PURCHASE
from snapshot.log_parts import parts_by_shopper
from snapshot.partition_work import Columns, joined

if TYPE_CHECKING:
    import polars as pl

_DAY_S = 86_400
_LEAST_DAYS = 0.5
"""Length of a spell censored on its first day, of which a part has passed."""


class Spells(NamedTuple):
    """From a day with a purchase of a group to the shopper's next one, or to the end of the log.

    group  int64[s]
    days   float64[s]
    back   bool[s], False = censored
    first  bool[s], whether the shopper had bought nothing of the group before
    """

    group: NDArray[np.int64]
    days: NDArray[np.float64]
    back: NDArray[np.bool_]
    first: NDArray[np.bool_]


def build(source: BuildSource, folder: Path, settings: PurchaseCycleTableSettings) -> dict[str, int]:
    """Write the table into `folder`; returns how many rows each file has."""
    cycles = learn_cycles(source, open_categories(source.tables[CATEGORIES], source.catalogue), settings)
    usual = {USUAL.format(level=level): rates for level, rates in cycles.usual.items()}
    columns = {**cycles.category, **usual, SAME_ITEM: cycles.same_item, RATIO: cycles.ratio}
    for name, column in columns.items():
        save_column(folder, name, column.reshape(-1))
    return {name: len(column) for name, column in columns.items()}


def learn_cycles(
    source: BuildSource, categories: StandardCategories, settings: PurchaseCycleTableSettings
) -> PurchaseCycles:
    """The cycles of the source's purchases up to its `now`; where there are none, nobody buys again."""
    parents = categories.parents()
    coarse_count = len(categories.coarse_names)
    fine_spells = purchase_spells(source, categories.fine)
    coarse_spells = purchase_spells(source, categories.coarse)
    items = purchase_spells(source, np.arange(source.catalogue.size + 1))
    first = items.first
    once = Spells(items.group[first], items.days[first], items.back[first], items.first[first])
    strength = settings.category_strength
    same_item = cumulative_hazards(categories.fine[once.group], once.days, once.back, parents, strength)
    expected = np.bincount(
        once.group,
        hazard_at(same_item, categories.fine[once.group], np.maximum(once.days, _LEAST_DAYS)),
        source.catalogue.size + 1,
    )
    returned = np.bincount(once.group, once.back, source.catalogue.size + 1)
    # Gamma-Poisson shrinkage of observed over expected returns: spells are censored, so counts alone are not.
    ratio = (returned + settings.item_strength) / (expected + settings.item_strength)
    return PurchaseCycles(
        {
            FINE: cumulative_hazards(
                fine_spells.group, fine_spells.days, fine_spells.back, parents, strength
            ),
            COARSE: cumulative_hazards(
                coarse_spells.group,
                coarse_spells.days,
                coarse_spells.back,
                np.zeros(coarse_count, np.int32),
                strength,
            ),
        },
        same_item,
        ratio.astype(np.float32),
        {
            FINE: usual_rates(source, categories.fine, len(categories.fine_names)),
            COARSE: usual_rates(source, categories.coarse, coarse_count),
        },
    )


def purchase_spells(source: BuildSource, groups: NDArray[np.integer[Any]]) -> Spells:
    """The spells of the source's purchases up to its `now`, in UTC days.

    groups: int[N + 1], the group of each item; purchases of group 0 are left out.
    """
    parts = (_spell_columns(part, source.now, groups) for part in parts_by_shopper(source.events))
    return Spells(**joined(parts))


def _spell_columns(events: pl.DataFrame, now: int, groups: NDArray[np.integer[Any]]) -> Columns:
    """The columns of `Spells` of some shoppers, by all their events."""
    user, group, day = _bought(events, now, groups)
    known = group > 0
    order = np.lexsort((day[known], group[known], user[known]))
    user, group, day = (column[known][order] for column in (user, group, day))
    same = (user[1:] == user[:-1]) & (group[1:] == group[:-1])
    distinct = np.ones(len(day), np.bool_)
    distinct[1:] = ~(same & (day[1:] == day[:-1]))
    user, group, day = user[distinct], group[distinct], day[distinct]
    back, first = np.zeros(len(day), np.bool_), np.ones(len(day), np.bool_)
    same = (user[1:] == user[:-1]) & (group[1:] == group[:-1])
    back[:-1], first[1:] = same, ~same
    end = np.full(len(day), now // _DAY_S)
    end[:-1][same] = day[1:][same]
    return {"group": group, "days": (end - day).astype(np.float64), "back": back, "first": first}


def usual_rates(source: BuildSource, groups: NDArray[np.integer[Any]], count: int) -> NDArray[np.float32]:
    """How often a shopper who bought anything buys of a group afterwards, as if no matter what it was.

    Args:
        source: whose purchases up to its `now` tell.
        groups: int[N + 1], the group of each item, below `count`.
        count: of the groups.

    Returns:
        float32[count, len(GRID_DAYS)], days with a purchase of the group up to each of GRID_DAYS: those with
        any purchase, times the group's part of these; 0 for group 0.
    """
    followed, of_group, visits = np.zeros((2, len(GRID_DAYS))), np.zeros(count), 0
    for part in parts_by_shopper(source.events):
        user, group, day = _bought(part, source.now, groups)
        if not len(user):
            continue
        first = int(day.min())
        days = int(day.max()) - first + 1
        visit, row = np.unique(user * days + day - first, return_inverse=True)
        followed += days_that_follow(visit // days, first + visit % days, source.now // _DAY_S)
        of_group += np.bincount(np.unique(row * count + group) % count, minlength=count)
        visits += len(visit)
    of_group[0] = 0
    return np.outer(of_group / max(visits, 1), rates_after(followed)).astype(np.float32)


def _bought(
    events: pl.DataFrame, now: int, groups: NDArray[np.integer[Any]]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Shopper, group and UTC day of the purchases up to unix second `now`, int64[n] each."""
    ts = events["ts"].to_numpy()
    bought = (events["event"].to_numpy() == PURCHASE) & (ts <= now)
    group = groups[events["item"].to_numpy()[bought]].astype(np.int64)
    return events["user"].to_numpy()[bought].astype(np.int64), group, ts[bought] // _DAY_S
