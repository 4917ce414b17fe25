"""The table of pages beside a search: does the item that the shopper takes next show?

Logs hold no queries, so they are simulated: of the item that a shopper takes next, its category, or two words
drawn from its title. A real query is vaguer or of other words; the rows can be compared with each other, and
say little of what real searches would give.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evaluation.anchor_table import PageOf, page_of_pipeline
from evaluation.cart_table import page_of_channel_head
from evaluation.queries import TestShopper, anonymous_at
from foundation.statistics.bootstrap import grouped_interval
from models.interaction_log import InteractionLog
from pipeline.plan import Pipeline
from recall.context import ContextChannel
from recall.query import Query
from recall.search.asked import Asked, Facet
from recall.search.words import folded, query_terms, terms_of
from snapshot.catalogue import Catalogue

PAGE = 10
SHORTEST_WORD = 3
QUERY_WORDS = 2


@dataclass(frozen=True, slots=True)
class Search:
    """One shopper's next item, and what a search for it may say: a category, and words of its title."""

    shopper: TestShopper
    target: int
    category: str
    words: str


Ask = Callable[[Search], Query]


def simulated_searches(
    shoppers: Sequence[TestShopper], log: InteractionLog, catalogue: Catalogue, rng: np.random.Generator
) -> list[Search]:
    """A search of each shopper for the first item after the cut, where it has a category and two words."""
    searches = []
    behaviours = log.behaviours
    for shopper in shoppers:
        own = slice(behaviours.offsets[shopper.user], behaviours.offsets[shopper.user + 1])
        after = int(np.searchsorted(behaviours.ts[own], shopper.query.now))
        target = behaviours.item[own][after : after + 1]
        (title,) = catalogue.titles(target)
        (category,) = catalogue.category_names(catalogue.category[target])
        words = [word for word in folded(title).replace(",", " ").split() if len(word) >= SHORTEST_WORD]
        words = [word for word in dict.fromkeys(words) if word.isalpha()]
        if len(words) >= QUERY_WORDS and category:
            drawn = np.sort(rng.choice(len(words), QUERY_WORDS, replace=False))
            query = " ".join(words[at] for at in drawn)
            searches.append(Search(shopper, int(target[0]), category, query))
    return searches


def search_table(
    searches: Sequence[Search],
    pipelines: Mapping[str, Pipeline[Query]],
    home: Mapping[str, Pipeline[Query]],
    channel: ContextChannel,
    seed: int,
) -> dict[str, dict[str, float]]:
    """Row → column → value.

    Args:
        searches: what is looked for.
        pipelines: scene → its pipeline as served, of scenes that look at the context. There are no rows where
            there are none of these, or no searches.
        home: a scene that does not, without a context.
        channel: over the same tables.
        seed: of the bootstrap.

    Returns:
        ndcg@10 of the one item, with its 95 % interval over shoppers (low, high); hr@10; in_category and
        all_words: part of the shown items that are of the category searched for, and that have all words of
        the query in their own texts. Rows of a must have 1 in theirs.
    """
    if not searches or not pipelines:
        return {}
    index = channel.index

    def asked(about: Callable[[Search], Asked], known: bool = True) -> Ask:
        def query(search: Search) -> Query:
            own = search.shopper.query if known else anonymous_at(search.shopper.query.now)
            return replace(own, wish=index.wish(about(search))[0])

        return query

    async def best_words(query: Query) -> NDArray[np.int32]:
        text = query.wish.text
        if text is None:
            return np.empty(0, np.int32)
        found = text.items[index.catalogue.in_stock[text.items]]
        return found[np.argsort(-text.scores_of(found), kind="stable")[:PAGE]]

    rows: dict[str, tuple[PageOf, Ask]] = {
        f"{name}, no context": (page_of_pipeline(pipeline, PAGE), asked(_nothing))
        for name, pipeline in home.items()
    }
    rows["match of words alone"] = best_words, asked(_words)
    for said, about in (("category", _category), ("words", _words)):
        rows[f"channel context, {said}"] = page_of_channel_head(channel, PAGE), asked(about)
    for name, pipeline in pipelines.items():
        page_of = page_of_pipeline(pipeline, PAGE)
        rows[f"{name}, no context"] = page_of, asked(_nothing)
        for said, about, must in (
            ("category", _category, _must_category),
            ("words", _words, _must_words),
        ):
            rows[f"{name}, {said}"] = page_of, asked(about)
            rows[f"{name}, {said}, anonymous"] = page_of, asked(about, known=False)
            rows[f"{name}, {said} as a must"] = page_of, asked(must)
    return {name: _row(searches, *row, index.catalogue, seed) for name, row in rows.items()}


def _nothing(search: Search) -> Asked:
    return Asked()


def _category(search: Search) -> Asked:
    return Asked(category=search.category)


def _must_category(search: Search) -> Asked:
    return Asked(category=search.category, must=frozenset({Facet.CATEGORY}))


def _words(search: Search) -> Asked:
    return Asked(search_query=search.words)


def _must_words(search: Search) -> Asked:
    return Asked(search_query=search.words, must=frozenset({Facet.QUERY}))


def _row(
    searches: Sequence[Search], page_of: PageOf, ask: Ask, catalogue: Catalogue, seed: int
) -> dict[str, float]:
    pages = asyncio.run(_pages(page_of, [ask(search) for search in searches]))
    gains = np.zeros(len(pages))
    in_category: list[bool] = []
    all_words: list[bool] = []
    for at, (search, page) in enumerate(zip(searches, pages, strict=True)):
        place = np.flatnonzero(page == search.target)
        gains[at] = 1 / np.log2(place[0] + 2) if place.size else 0.0
        in_category += [
            name == search.category for name in catalogue.category_names(catalogue.category[page])
        ]
        wanted = set(query_terms(search.words))
        all_words += [wanted <= set(terms_of(text)) for text in _texts(catalogue, page)]
    low, high = grouped_interval(gains, np.arange(len(gains)), np.random.default_rng(seed))
    return {
        f"ndcg@{PAGE}": float(gains.mean()),
        "low": low,
        "high": high,
        f"hr@{PAGE}": float((gains > 0).mean()),
        "in_category": float(np.mean(in_category)) if in_category else float("nan"),
        "all_words": float(np.mean(all_words)) if all_words else float("nan"),
    }


def _texts(catalogue: Catalogue, items: NDArray[np.int32]) -> list[str]:
    """All that is searched of each item, in one text."""
    columns = [catalogue.titles(items)]
    for name in ("category", "standard_category", "brand"):
        columns.append(catalogue.names(name, catalogue.column(name)[items]))
    return [" ".join(parts) for parts in zip(*columns, strict=True)]


async def _pages(page_of: PageOf, queries: Sequence[Query]) -> list[NDArray[np.int32]]:
    return [await page_of(query) for query in queries]
