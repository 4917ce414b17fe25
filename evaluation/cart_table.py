"""The table of pages with a cart: does what completes the basket show?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from evaluation.anchor_table import PageOf
from evaluation.baselines import BasketKnn
from evaluation.held_out_carts import HeldOutCart, HeldOutCarts
from foundation.statistics.bootstrap import grouped_interval
from recall.channel import Channel
from recall.query import Query

Asked = Callable[[HeldOutCart], Query]
"""cart → the query for it."""
CARTS = {"": "all_but_one", "half_": "half"}
"""Prefix of the columns → the field of `HeldOutCarts`."""


def cart_table(
    carts: HeldOutCarts, rows: Mapping[str, tuple[PageOf, Asked]], seed: int
) -> dict[str, dict[str, float]]:
    """Row → column → value.

    Args:
        carts: what is given and what is held out.
        rows: row → what shows its pages, and the queries that these are shown for.
        seed: of the bootstrap.

    Returns:
        hr@10: share of the baskets, given all items but one, whose held-out item is on the page, with its
        95 % interval over shoppers (low, high); it is recall@10 too. half_hr@10, half_low, half_high: the
        same, given half of the items, for any of the others. half_recall@10: the part of them on the page.
    """
    table: dict[str, dict[str, float]] = {}
    for name, (page_of, asked) in rows.items():
        table[name] = {}
        for prefix, field in CARTS.items():
            given: Sequence[HeldOutCart] = getattr(carts, field)
            shown = asyncio.run(_pages(page_of, [asked(cart) for cart in given]))
            found = np.array(
                [np.isin(cart.held_out, page).mean() for cart, page in zip(given, shown, strict=True)]
            )
            hits = (found > 0).astype(float)
            users = np.array([cart.user for cart in given])
            low, high = grouped_interval(hits, users, np.random.default_rng(seed))
            table[name] |= {f"{prefix}hr@10": float(hits.mean()), f"{prefix}low": low, f"{prefix}high": high}
            if prefix:
                table[name][f"{prefix}recall@10"] = float(found.mean())
    return table


def with_cart(shopper: Callable[[HeldOutCart], Query]) -> Asked:
    """The shopper's query about the cart."""
    return lambda cart: shopper(cart).about(cart.cart)


def without_cart(shopper: Callable[[HeldOutCart], Query]) -> Asked:
    """The shopper's query as it is without a cart, its items apart: what is in the cart is not shown."""
    return lambda cart: replace(shopper(cart), excluded=cart.cart)


def page_of_channel_head(channel: Channel, size: int) -> PageOf:
    """The channel alone, without what the query excludes."""

    async def page(query: Query) -> NDArray[np.int32]:
        items = (await channel.recall(query, size + query.excluded.size)).items
        return items[~np.isin(items, query.excluded)][:size]

    return page


def page_of_basket_knn_sum(knn: BasketKnn, size: int) -> PageOf:
    """The baseline's scores summed over the cart."""

    async def page(query: Query) -> NDArray[np.int32]:
        scores = knn.cart_scores(query.anchors)
        items = np.flatnonzero(scores > 0).astype(np.int32)
        items = items[(items > 0) & ~np.isin(items, query.anchors)]
        return items[np.argsort(-scores[items], kind="stable")[:size]]

    return page


async def _pages(page_of: PageOf, queries: Sequence[Query]) -> list[NDArray[np.int32]]:
    return [await page_of(query) for query in queries]
