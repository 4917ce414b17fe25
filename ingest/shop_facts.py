"""Measures on a shop's log how people buy there: what they repeat and when, and whether titles tell apart."""

from __future__ import annotations

import numpy as np
import polars as pl

from snapshot.catalogue import Catalogue
from snapshot.dataset import Dataset
from snapshot.event_codes import CART_CODES, EVENT_CODES, IMPRESSION, PURCHASE, REMOVE_FROM_CART
from snapshot.item_columns import ITEM_COLUMNS
from snapshot.item_keys import item_keys
from snapshot.kept_in_cart import cart_changes, kept_in_cart
from snapshot.shop_facts import ShopFacts

_DAY_S = 86_400
_QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
_ITEMS_AT_ONCE = 65_536
_ONE_PRICE = 1.05
"""The highest price of variants of a product, as a multiple of the lowest."""


def facts_of(dataset: Dataset) -> ShopFacts:
    """The facts in a data set's manifest; measured now where an earlier version ingested it."""
    known = dataset.manifest.shop
    if known is not None:
        return known
    return measure_shop(
        dataset.events().collect(),
        dataset.catalogue,
        dataset.manifest.cuts.test_from,
        dataset.cart_removals(),
    )


def measure_shop(
    events: pl.DataFrame, catalogue: Catalogue, test_from: int, removals: pl.DataFrame
) -> ShopFacts:
    """Measures a log and its catalogue; the fields are described at `ShopFacts`.

    Args:
        events: user, item int32, event uint8, ts int64 (unix seconds); in any order.
        catalogue: of the items.
        test_from: unix seconds; what comes from then on is left out, so that no measure knows of it.
        removals: as of `Dataset.cart_removals`; in any order.
    """
    before = events.filter(pl.col("ts") < test_from)
    removals = removals.filter(pl.col("ts") < test_from)
    by_code = dict(before["event"].value_counts().iter_rows())
    if removals.height:
        by_code[REMOVE_FROM_CART] = removals.height
    takes = _by_day(before.filter(pl.col("event") != IMPRESSION))
    bought = _by_day(before.filter(pl.col("event") == PURCHASE))
    repeats = takes.filter(pl.col("gap_days").is_not_null())
    bought_again = bought.filter(pl.col("gap_days").is_not_null())
    per_shopper = takes.group_by("user").len()["len"].to_numpy()
    category = catalogue.category
    in_category = takes.select("user", category=pl.lit(category[takes["item"].to_numpy()]))
    categories = (
        in_category.filter(pl.col("category") > 0).group_by("user").agg(pl.col("category").n_unique())
    )
    titled, shared, variants = _shared_titles(catalogue)
    return ShopFacts(
        days=_span_days(before["ts"].to_numpy()),
        shoppers=len(per_shopper),
        events={name: by_code[code] for name, code in EVENT_CODES.items() if code in by_code},
        takes=takes.filter(~pl.col("first_day")).height,
        repeat_takes=repeats.height,
        purchases=bought.filter(~pl.col("first_day")).height,
        repeat_purchases=bought_again.height,
        repeat_gap_days=_median(bought_again["gap_days"]),
        history=_quantiles(per_shopper),
        categories=len(np.unique(category[category > 0])),
        categories_per_shopper=_median(categories["category"]) or 0.0,
        items=catalogue.size,
        titled=titled,
        shared_titles=shared,
        variant_titles=variants,
        carts_removed=_carts_removed(before, removals),
        groups={
            name: float((catalogue.column(name)[1:] > 0).mean()) if catalogue.size else 0.0
            for name, column in ITEM_COLUMNS.items()
            if column.kind == "group" and not column.later
        },
    )


def _carts_removed(events: pl.DataFrame, removals: pl.DataFrame) -> float:
    """Carts, each by the part of the item's pieces that were taken out before a purchase of it."""
    if removals.is_empty():
        return 0.0
    columns = ["user", "item", "ts"]
    carts = events.filter(pl.col("event").is_in(CART_CODES)).select(columns)
    purchases = events.filter(pl.col("event") == PURCHASE).select(columns)
    kept = kept_in_cart(carts, cart_changes(events.lazy(), removals), purchases)
    return float((1 - kept).sum())


def _by_day(events: pl.DataFrame) -> pl.DataFrame:
    """One row per user, item and day: whether it is the user's first day, and days since the item's last."""
    return (
        events.select("user", "item", day=(pl.col("ts") // _DAY_S).cast(pl.Int32))
        .sort("user", "item", "day")
        # Equal rows follow each other now: no table of all rows is needed to find them.
        .filter(pl.any_horizontal(pl.all() != pl.all().shift(1)).fill_null(True))
        .with_columns(
            first_day=pl.col("day") == pl.col("day").min().over("user"),
            gap_days=pl.when(
                (pl.col("user") == pl.col("user").shift(1)) & (pl.col("item") == pl.col("item").shift(1))
            ).then(pl.col("day") - pl.col("day").shift(1)),
        )
    )


def _span_days(times: np.ndarray) -> float:
    if not len(times):
        return 0.0
    first, last = np.quantile(times, (0.01, 0.99), method="nearest")
    return float(last - first) / _DAY_S


def _median(values: pl.Series) -> float | None:
    return None if values.is_empty() else float(np.median(values.to_numpy()))


def _quantiles(counts: np.ndarray) -> tuple[float, float, float, float, float]:
    if not len(counts):
        return (0.0,) * 5
    low, lower, middle, upper, high = np.quantile(counts, _QUANTILES).tolist()
    return low, lower, middle, upper, high


def _shared_titles(catalogue: Catalogue) -> tuple[int, int, int]:
    """How many items have a title, how many of these share title and brand, as `dedup` compares them.

    The third: how many of the latter are variants, as of `ShopFacts.variant_titles`.
    """
    # Keys of 64 bits, part by part: the titles of millions of items would take gigabytes.
    keys, titled = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
    for first in range(1, catalogue.size + 1, _ITEMS_AT_ONCE):
        items = np.arange(first, min(first + _ITEMS_AT_ONCE, catalogue.size + 1))
        titles = [" ".join(title.casefold().split()) for title in catalogue.titles(items)]
        brands = catalogue.brand[items].tolist()
        keys.append(
            item_keys(f"{title}\n{brand}" for title, brand in zip(titles, brands, strict=True) if title)
        )
        titled.append(items[[bool(title) for title in titles]])
    key, item = np.concatenate(keys), np.concatenate(titled)
    if not len(key):
        return 0, 0, 0
    order = np.argsort(key, kind="stable")
    key, item = key[order], item[order]
    starts = np.flatnonzero(np.append(True, key[1:] != key[:-1]))
    counts = np.diff(np.append(starts, len(key)))
    price, category = catalogue.price[item], catalogue.category[item]
    low, high = np.minimum.reduceat(price, starts), np.maximum.reduceat(price, starts)
    # An unknown price, NaN, is like no other.
    alike = (low > 0) & (high <= _ONE_PRICE * low)
    alike &= np.minimum.reduceat(category, starts) == np.maximum.reduceat(category, starts)
    shared = counts > 1
    return len(key), int(counts[shared].sum()), int(counts[shared & alike].sum())
