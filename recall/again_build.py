"""How often shoppers come back to an item: `again`'s offline side."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recall.channel import BuildSource
from snapshot.event_codes import IMPRESSION

_DAY = 86_400


def repeat_rates(source: BuildSource, strength: float) -> tuple[NDArray[np.float32], int]:
    """Each item's smoothed share of shoppers who took it on two days or more.

    rate(i) = (came back to i + m · rate(category)) / (took i + m), the category's rate smoothed the same way
    towards that of all items; m is `strength` in shoppers.

    Returns:
        float32[N + 1] above 0, row 0 the rate of all; and how many items anybody came back to.
    """
    catalogue = source.catalogue
    pairs = (
        source.events.lazy()
        .filter((pl.col("event") != IMPRESSION) & (pl.col("ts") <= source.now))
        .group_by("user", "item")
        .agg((pl.col("ts") // _DAY).n_unique().alias("days"))
        .select("item", (pl.col("days") > 1).alias("back"))
        .collect()
    )
    item = pairs["item"].to_numpy()
    back = pairs["back"].to_numpy()
    takers = np.bincount(item, minlength=catalogue.size + 1)
    returned = np.bincount(item, weights=back, minlength=catalogue.size + 1)
    # One return in as many shoppers as the prior has keeps the rate above 0 where nobody ever came back.
    overall = min((returned.sum() + 1) / (takers.sum() + strength), 1.0)
    categories = catalogue.category_count + 1
    category_takers = np.bincount(catalogue.category, weights=takers, minlength=categories)
    category_returned = np.bincount(catalogue.category, weights=returned, minlength=categories)
    of_category = (category_returned + strength * overall) / (category_takers + strength)
    of_category[0] = overall
    rates = (returned + strength * of_category[catalogue.category]) / (takers + strength)
    rates[0] = overall
    return rates.astype(np.float32), int(np.count_nonzero(returned))
