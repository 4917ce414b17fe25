"""What was sold in the last part of a shop's log, by which its small network may draw pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.class_draws import draws_by_share
from snapshot.event_codes import PURCHASE
from vision.settings import CategoryNetworkSettings

if TYPE_CHECKING:
    import polars as pl

_DAY_S = 86_400
EVENLY = "each once a pass"


@dataclass(frozen=True)
class Sales:
    """Purchases of categories.

    Attributes:
        purchases: int64[K], of each code.
        days: from the first to the last event that was looked at, rounded up.
    """

    purchases: NDArray[np.int64]
    days: int


def sales_of(events: pl.LazyFrame, codes: NDArray[np.int32], days: int) -> Sales:
    """Purchases of categories in the last days of a log, which ends with its last event.

    A purchase counts once whatever its quantity, which shops give in pieces, grams or metres.

    Args:
        events: item int32, event uint8, ts int64 (unix seconds), as of `Dataset.events`; may have no rows.
        codes: int32[N + 1], the category of each item.
        days: how many.
    """
    import polars as pl

    first, last = events.select(first=pl.col("ts").min(), last=pl.col("ts").max()).collect().row(0)
    if last is None:
        return Sales(np.zeros(int(codes.max()) + 1, np.int64), 0)
    begin = max(first, last - days * _DAY_S)
    bought = events.filter((pl.col("event") == PURCHASE) & (pl.col("ts") >= begin)).select("item").collect()
    purchases = np.bincount(codes[bought["item"].to_numpy()], minlength=int(codes.max()) + 1)
    return Sales(purchases, -(-(last - begin) // _DAY_S))


@dataclass(frozen=True)
class Draws:
    """How pictures are drawn to learn from.

    Attributes:
        said: how, and why, in words.
        shares: float64[C], what was sold of each class, smoothed; None where nothing was.
        settings: how far the draws follow the sales.
    """

    said: str
    shares: NDArray[np.float64] | None
    settings: CategoryNetworkSettings

    @property
    def by_sales(self) -> bool:
        """Whether the draws follow the sales."""
        return self.settings.draw_by == "sales" and self.shares is not None

    def of(self, classes: NDArray[np.int64]) -> NDArray[np.float64] | None:
        """float64[m], draws of pictures of classes int64[m] in a pass; None = each once."""
        if self.shares is None or not self.by_sales:
            return None
        return draws_by_share(classes, self.shares, self.settings.least_draws, self.settings.most_draws)

    def weights(self, classes: NDArray[np.int64]) -> NDArray[np.float64] | None:
        """float64[m], by which classes int64[m] of pictures weigh as they were sold; None = unknown."""
        if self.shares is None:
            return None
        counts = np.bincount(classes, minlength=len(self.shares))
        weights = (self.shares / np.maximum(counts, 1))[classes]
        return np.asarray(weights / weights.sum()) if weights.sum() else None


def draws_of(sales: Sales | None, classes: NDArray[np.int64], settings: CategoryNetworkSettings) -> Draws:
    """How a network's pictures are drawn.

    Args:
        sales: of the shop; None = not known.
        classes: int64[C], the code of each class that the network names.
        settings: what is wanted.
    """
    evenly = settings.draw_by == "pictures"
    sold = np.zeros(len(classes)) if sales is None else sales.purchases[classes].astype(float)
    if sales is None or not sold.any():
        why = f"nothing that it names was bought in the last {settings.sales_days} days of the log"
        return Draws(EVENLY + ("" if evenly else f": {why}"), None, settings)
    said = f"as {sold.sum():,.0f} purchases of the log's last {sales.days} days are spread over categories"
    return Draws(EVENLY if evenly else said, sold + settings.sales_smoothing, settings)
