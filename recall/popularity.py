"""How many shoppers take an item, and what keeps it from the head of most pages: a table of serving.

A cap on the part of shoppers whose page an item may head is held by a price per item. The pages that lose the
least value under such caps are those ordered by value less price, where each price is the multiplier of its
item's cap (the dual of an assignment, as in Bertsekas, "The auction algorithm", 1988). The prices are fitted
on simulated pages (`evaluation.price_fit`); a page needs nothing of other pages.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from recall.channel import BuildSource
from snapshot.catalogue import Catalogue
from snapshot.columns import load_column, save_column
from snapshot.log_parts import parts_by_shopper
from snapshot.manifest import SnapshotError

NAME = "popularity"
CAPS = (0.5, 0.3, 0.2, 0.15, 0.1, 0.07, 0.05, 0.03)
"""Parts of shoppers for which prices are fitted; between two of them a price is interpolated."""
REACH = 10
"""Heads' worth of candidates, in page order, among which a page's head is chosen."""
SHARE, PRICED, PRICES = "share", "priced_items", "prices"
_DAY_S = 86_400


class PopularityTableSettings(BaseModel):
    """What counts as popular, and how the cap's prices are fitted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    window_days: float = Field(
        default=90.0, gt=0, description="Days before the build whose shoppers and takes are counted."
    )
    head: int = Field(default=4, ge=1, le=20, description="First slots of a page that head_cap looks at.")
    max_shoppers: int = Field(
        default=1_000, ge=1, le=50_000, description="Shoppers whose pages the prices are fitted on, at most."
    )
    most_lost: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="Part of the takes that the scores expect of the heads that a cap may cost; one that "
        "costs more is loosened. 1: any cost.",
    )


@dataclass(frozen=True, slots=True)
class CapPrices:
    """Prices under one cap, in log-odds of an item's score.

    items   int32[m], ascending
    values  float64[m], at least 0
    """

    items: NDArray[np.int32]
    values: NDArray[np.float64]

    def of(self, items: NDArray[np.int32]) -> NDArray[np.float64]:
        """float64[n]: price of each of `items`, int32[n]."""
        if not self.items.size:
            return np.zeros(items.size)
        at = np.minimum(np.searchsorted(self.items, items), self.items.size - 1)
        return np.where(self.items[at] == items, self.values[at], 0.0)


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices in log-odds of an item's score, of the items that have one.

    items   int32[m], ascending
    values  float32[m, caps], at least 0, by `CAPS`
    """

    items: NDArray[np.int32]
    values: NDArray[np.float32]

    def under(self, most: float) -> CapPrices:
        """The prices under the cap `most`, above 0; 0 at a cap of 1.

        Between two of `CAPS` they change with the logarithm of the cap; below the last they stay.
        """
        caps = -np.log(np.array((1.0, *CAPS)))
        weights = np.array([np.interp(-np.log(most), caps, row) for row in np.eye(len(caps))[1:]])
        return CapPrices(self.items, self.values.astype(np.float64) @ weights)

    def write(self, folder: Path) -> None:
        """Writes them into the existing folder."""
        save_column(folder, PRICED, self.items)
        save_column(folder, PRICES, self.values.ravel())

    @classmethod
    def read(cls, folder: Path, rows: int | None = None) -> Prices:
        """Maps what `write` wrote; `rows`: N + 1 of the catalogue. Raises SnapshotError where it is torn."""
        items = load_column(folder, PRICED, np.dtype(np.int32))
        values = load_column(folder, PRICES, np.dtype(np.float32), items.size * len(CAPS))
        if items.size and (items[0] < 1 or (np.diff(items) <= 0).any()):
            raise SnapshotError(folder, PRICED, "is not ascending from 1", "build the snapshot again")
        if rows is not None and items.size and items[-1] >= rows:
            raise SnapshotError(folder, PRICED, "has items that the catalogue lacks", "build again")
        return cls(items, values.reshape(items.size, len(CAPS)))


NO_PRICES = Prices(np.empty(0, np.int32), np.empty((0, len(CAPS)), np.float32))


@dataclass(frozen=True, slots=True)
class Popularity:
    """The open table.

    share   float32[N + 1], part of the shoppers of the window who took the item
    prices  of items that would head too many pages; none where no scene asks for a cap
    head    first slots that they are for
    """

    share: NDArray[np.float32]
    prices: Prices
    head: int


def build(source: BuildSource, folder: Path, settings: PopularityTableSettings) -> dict[str, int]:
    """Counts shoppers by item, and copies the prices that were fitted before; returns entries by file."""
    import polars as pl

    size, shoppers = source.catalogue.size + 1, 0
    takers = np.zeros(size, np.int64)
    lately = pl.col("ts") > source.now - settings.window_days * _DAY_S
    for part in parts_by_shopper(source.events):
        pairs = part.lazy().filter(lately).select("user", "item").unique().collect()
        takers += np.bincount(pairs["item"].to_numpy(), minlength=size)
        shoppers += pairs["user"].n_unique()
    share = (takers / max(shoppers, 1)).astype(np.float32)
    share[0] = 0
    save_column(folder, SHARE, share)
    fitted = source.fitted.get(NAME)
    prices = NO_PRICES if fitted is None else Prices.read(fitted, share.size)
    prices.write(folder)
    return {SHARE: int(np.count_nonzero(share)), PRICES: prices.items.size}


def open_table(folder: Path, catalogue: Catalogue, settings: PopularityTableSettings) -> Popularity:
    """Maps the table. Raises SnapshotError where a file is torn or does not fit the catalogue."""
    rows = catalogue.size + 1
    share = load_column(folder, SHARE, np.dtype(np.float32), rows)
    return Popularity(share, Prices.read(folder, rows), settings.head)
