"""Query_intent: a search finds what others took because of it, also where no item has its words."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from recall import query_intent
from recall.query_intent_settings import QueryIntentSettings
from recall.search.wish import Wish
from tests.recall.small_shop import NOW, make_catalogue, make_query, make_source

pytestmark = pytest.mark.slow

VIEW, EACH = 2, 12
SEARCHES = ("fizzy drink", "soda", "breakfast bread", "loaf")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    """Two kinds of items, taken together and found by two searches each; none has a title but its id."""
    folder = tmp_path_factory.mktemp("shop")
    catalogue = make_catalogue(folder, [1] * EACH + [2] * EACH, out_of_stock=[EACH])
    rng, log, queries = np.random.default_rng(2), [], []
    for user in range(1, 161):
        kind = user % 2
        for step, item in enumerate(rng.choice(EACH, 5, replace=False)):
            log.append((user, 1 + EACH * kind + int(item), VIEW, NOW - 10_000 + step))
            queries.append(SEARCHES[2 * kind + int(rng.integers(2))] if step == 0 else "")
    source = make_source(catalogue, log)
    source = replace(source, events=source.events.with_columns(pl.Series("query", queries)))
    settings = QueryIntentSettings(
        enabled=True, dimensions=16, batch=256, walks_per_item=40, side_information=["category"], words=0
    )
    rows = query_intent.build(source, folder, settings)
    return catalogue, source, folder, settings, rows


def recalled(built, wish: Wish, k: int = EACH):  # type: ignore[no-untyped-def]
    catalogue, _, folder, settings, _ = built
    channel = query_intent.open_channel(folder, catalogue, None, settings)  # type: ignore[arg-type]
    return asyncio.run(channel.recall(replace(make_query(), wish=wish), k))


def test_a_search_finds_what_was_taken_because_of_it(built) -> None:  # type: ignore[no-untyped-def]
    catalogue, _, _, _, rows = built
    assert rows["searches"] == 160
    for kind, search in ((1, "soda"), (1, "DRINK"), (2, "loaf of something"), (2, "bread")):
        found = recalled(built, Wish(search_query=search), EACH - 2)
        assert len(found.items) == EACH - 2
        assert (catalogue.category[found.items] == kind).mean() > 0.8
        assert catalogue.in_stock[found.items].all()
    assert recalled(built, Wish(search_query="unheard")).items.size == 0
    assert recalled(built, Wish()).items.size == 0


def test_a_must_holds(built) -> None:  # type: ignore[no-untyped-def]
    eligible = np.zeros(2 * EACH + 1, np.bool_)
    eligible[[2, 5, EACH]] = True
    assert set(recalled(built, Wish(search_query="soda", eligible=eligible)).items.tolist()) == {2, 5}


def test_words_are_related_by_what_they_lead_to_and_shoppers_by_what_they_took(built) -> None:  # type: ignore[no-untyped-def]
    catalogue, _, folder, settings, _ = built
    channel = query_intent.open_channel(folder, catalogue, None, settings)  # type: ignore[arg-type]
    assert {word for word, _ in channel.related_words("soda", 2)} == {"fizzy", "drink"}
    items, weights = np.array([1, 2], np.int32), np.ones(2, np.float32)
    assert {word for word, _ in channel.words_of_items(items, weights, 3)} == {"soda", "fizzy", "drink"}


def test_without_searches_titles_stand_in(built, tmp_path) -> None:  # type: ignore[no-untyped-def]
    _, source, _, settings, _ = built
    without = replace(source, events=source.events.drop("query"))
    rows = query_intent.build(without, tmp_path, settings.model_copy(update={"fewest": 1}))
    assert "searches" not in rows
    assert rows["words"] == 2 * EACH
