"""The table of pages about one item: does the next item of the basket show, and do pages differ?"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from evaluation.anchor_pairs import AnchorPairs
from evaluation.baselines import BasketKnn, ItemCf
from evaluation.page_metrics import overlap_of
from evaluation.queries import anonymous_at
from evaluation.served_scene import served_items
from foundation.statistics.bootstrap import grouped_interval
from pipeline.plan import Pipeline
from recall.channel import Channel
from recall.query import Query

PageOf = Callable[[Query], Awaitable[NDArray[np.int32]]]
"""query about one item → the items of its page, best first."""


def anchor_table(
    pairs: AnchorPairs,
    shoppers: Mapping[int, Query],
    compared: Mapping[int, NDArray[np.int32]],
    pages: Mapping[str, PageOf],
    served: Mapping[str, PageOf],
    category: NDArray[np.integer],
    now: int,
    seed: int,
) -> dict[str, dict[str, float]]:
    """Row → column → value.

    Args:
        pairs: what to predict.
        shoppers: user index → query of every user of the pairs and of `compared`.
        compared: user index → anchors, int32[a], a draw of items whose pages are compared with each other:
            for this shopper, and for whom nobody knows. How alike they are depends on both, so a mean counts.
        pages: row → what shows a page to a shopper whom nobody knows.
        served: scene → what shows its pages; each has a row of anonymous and one of known shoppers.
        category: int[N + 1], categories by item; 0 = unknown.
        now: time of the anonymous requests, unix seconds.
        seed: of the bootstrap.

    Returns:
        hr@10: share of the pairs whose target is on the page about its anchor, with its 95 % interval over
        shoppers (low, high); distinct: different items on the pages of a draw; overlap: part of a page that
        is also on the page of another anchor of its draw; same_category: part of the items in the anchor's
        category.
    """
    nobody = anonymous_at(now)
    anonymous = {f"{name}, anonymous": page_of for name, page_of in served.items()}
    draws = list(compared.values())
    rows = {}
    for name, page_of in {**pages, **anonymous}.items():
        asked_about = np.unique(np.concatenate((pairs.anchor, *draws))).tolist()
        shown = asyncio.run(_pages(page_of, dict.fromkeys(asked_about, nobody)))
        hits = [target in shown[anchor] for anchor, target in zip(pairs.anchor, pairs.target, strict=True)]
        compare = [_compared(draw, [shown[item] for item in draw.tolist()], category) for draw in draws]
        rows[name] = _row(np.array(hits, float), pairs.user, compare, seed)
    asked = [
        shoppers[user].about(_one(item))
        for user, item in zip(pairs.user.tolist(), pairs.anchor.tolist(), strict=True)
    ]
    for name, page_of in served.items():
        own = asyncio.run(_each(page_of, asked))
        hits = [target in page for target, page in zip(pairs.target, own, strict=True)]
        compare = []
        for user, draw in compared.items():
            shown = asyncio.run(_pages(page_of, dict.fromkeys(draw.tolist(), shoppers[user])))
            compare.append(_compared(draw, list(shown.values()), category))
        rows[f"{name}, known shopper"] = _row(np.array(hits, float), pairs.user, compare, seed)
    return rows


def page_of_pipeline(pipeline: Pipeline[Query], size: int) -> PageOf:
    """What the scene serves."""

    async def page(query: Query) -> NDArray[np.int32]:
        return await served_items(pipeline, replace(query, scene=pipeline.name), size)

    return page


def page_of_channel(channel: Channel, size: int) -> PageOf:
    """The channel alone."""

    async def page(query: Query) -> NDArray[np.int32]:
        return (await channel.recall(query, size)).items

    return page


def page_of_popularity(popularity: NDArray[np.floating], size: int) -> PageOf:
    """The best sold items, the anchor apart; popularity: float[N + 1]."""
    best = np.argsort(-popularity, kind="stable").astype(np.int32)
    best = best[best > 0]

    async def page(query: Query) -> NDArray[np.int32]:
        head = best[: size + query.anchors.size]
        return head[~np.isin(head, query.anchors)][:size]

    return page


def page_of_item_cf(item_cf: ItemCf, size: int) -> PageOf:
    """The baseline's neighbours of the anchor."""

    async def page(query: Query) -> NDArray[np.int32]:
        scores = item_cf.scores(query.anchors, np.array([query.now]), np.array([0, 1]), np.array([query.now]))
        return _best(scores[0], query.anchors, size)

    return page


def page_of_basket_knn(knn: BasketKnn, size: int) -> PageOf:
    """The baseline's neighbours of the anchor."""

    async def page(query: Query) -> NDArray[np.int32]:
        return _best(knn.scores(int(query.anchors[0])), query.anchors, size)

    return page


def _best(scores: NDArray[np.floating], anchors: NDArray[np.int32], size: int) -> NDArray[np.int32]:
    """At most `size` items with a score above 0, best first, the anchors apart."""
    items = np.flatnonzero(scores > 0).astype(np.int32)
    items = items[(items > 0) & ~np.isin(items, anchors)]
    return items[np.argsort(-scores[items], kind="stable")[:size]]


def _one(item: int) -> NDArray[np.int32]:
    return np.array([item], np.int32)


async def _each(page_of: PageOf, queries: Sequence[Query]) -> list[NDArray[np.int32]]:
    return [await page_of(query) for query in queries]


async def _pages(page_of: PageOf, queries: Mapping[int, Query]) -> dict[int, NDArray[np.int32]]:
    """Anchor → the page about it, for the shopper of the query."""
    return {item: await page_of(query.about(_one(item))) for item, query in queries.items()}


def _compared(
    anchors: NDArray[np.int32], pages: Sequence[NDArray[np.int32]], category: NDArray[np.integer]
) -> dict[str, float]:
    same = np.concatenate(
        [category[page] == category[anchor] for anchor, page in zip(anchors, pages, strict=True)]
    )
    return {
        "distinct": float(len(np.unique(np.concatenate(pages)))),
        "overlap": overlap_of(pages),
        "same_category": float(same.mean()) if len(same) else float("nan"),
    }


def _row(
    hits: NDArray[np.floating], users: NDArray[np.int32], compared: Sequence[Mapping[str, float]], seed: int
) -> dict[str, float]:
    low, high = grouped_interval(hits, users, np.random.default_rng(seed))
    means = {column: float(np.mean([each[column] for each in compared])) for column in compared[0]}
    return {"hr@10": float(hits.mean()), "low": low, "high": high, **means}
