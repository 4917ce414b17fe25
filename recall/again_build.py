"""How often shoppers come back to an item: `again`'s offline side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recall.channel import BuildSource
from snapshot.catalogue import Catalogue
from snapshot.event_codes import IMPRESSION
from snapshot.log_parts import parts_by_shopper

_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Takers:
    """Shoppers by item.

    takers    int64[N + 1], who took it
    returned  int64[N + 1], who took it on two days (UTC) or more
    shoppers  who took anything
    """

    takers: NDArray[np.int64]
    returned: NDArray[np.int64]
    shoppers: int


def takers_of(source: BuildSource) -> Takers:
    """Counted from the behaviours up to `source.now`."""
    size, shoppers = source.catalogue.size + 1, 0
    takers, returned = np.zeros(size, np.int64), np.zeros(size, np.int64)
    day = pl.col("ts") // _DAY
    for part in parts_by_shopper(source.events):
        pairs = (
            part.lazy()
            .filter((pl.col("event") != IMPRESSION) & (pl.col("ts") <= source.now))
            .group_by("user", "item")
            .agg((day.max() > day.min()).alias("back"))
            .collect()
        )
        item = pairs["item"].to_numpy()
        takers += np.bincount(item, minlength=size)
        returned += np.bincount(item[pairs["back"].to_numpy()], minlength=size)
        shoppers += pairs["user"].n_unique()
    return Takers(takers, returned, shoppers)


def repeat_rates(source: BuildSource, strength: float) -> tuple[NDArray[np.float32], int]:
    """`rates_of` the takers up to `source.now`, float32[N + 1], and how many items anybody came back to."""
    taken = takers_of(source)
    return rates_of(taken, source.catalogue, strength), int(np.count_nonzero(taken.returned))


def rates_of(taken: Takers, catalogue: Catalogue, strength: float) -> NDArray[np.float32]:
    """Each item's smoothed share of shoppers who took it on two days or more.

    rate(i) = (came back to i + m · rate(category)) / (took i + m), the category's rate smoothed the same way
    towards that of all items; m is `strength` in shoppers.

    Returns:
        float32[N + 1] above 0, row 0 the rate of all.
    """
    takers, returned = taken.takers, taken.returned
    # One return in as many shoppers as the prior has keeps the rate above 0 where nobody ever came back.
    overall = min((returned.sum() + 1) / (takers.sum() + strength), 1.0)
    categories = catalogue.category_count + 1
    category_takers = np.bincount(catalogue.category, weights=takers, minlength=categories)
    category_returned = np.bincount(catalogue.category, weights=returned, minlength=categories)
    of_category = (category_returned + strength * overall) / (category_takers + strength)
    of_category[0] = overall
    rates = (returned + strength * of_category[catalogue.category]) / (takers + strength)
    rates[0] = overall
    return np.asarray(rates, np.float32)
