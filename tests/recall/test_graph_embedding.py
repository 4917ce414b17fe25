"""Graph_embedding: walks follow edges by their weights, and what an item is gives it a place."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recall import graph_embedding
from recall.baskets import Baskets
from recall.channel import NothingToRecall
from recall.graph_embedding_settings import GraphEmbeddingSettings
from recall.item_graph import ItemGraph, walk_contexts
from tests.recall.small_shop import NOW, make_catalogue, make_query, make_source

PURCHASE = 5
EACH = 12
"""Items of a category; the last of each is in no session."""


def sessions_of(*sessions: list[int]) -> Baskets:
    basket = np.repeat(np.arange(len(sessions)), [len(each) for each in sessions]).astype(np.int32)
    count = len(sessions)
    return Baskets(
        basket, np.concatenate(sessions).astype(np.int32), np.ones(count, np.int32), np.zeros(count, np.int64)
    )


def test_edges_join_what_is_near_in_a_session() -> None:
    graph = ItemGraph.of(sessions_of([1, 2, 3], [1, 3]), 4, 2, 0.5)
    weights = np.diff(graph.ends, prepend=0.0)
    row = np.repeat(np.arange(5), np.diff(graph.starts))
    found = {(int(i), int(j)): float(w) for i, j, w in zip(row, graph.target, weights, strict=True)}
    assert found == pytest.approx(
        {(1, 2): 1.0, (2, 3): 1.0, (1, 3): 1.5, (2, 1): 0.5, (3, 2): 0.5, (3, 1): 0.75}
    )
    assert graph.items.tolist() == [1, 2, 3]


def test_walks_choose_edges_by_their_weights_and_end_where_there_is_none() -> None:
    graph = ItemGraph.of(sessions_of([1, 2], [1, 2], [1, 2], [1, 3]), 3, 1, 0.0)
    walks = graph.walks(4_000, 3, np.random.default_rng(1))
    assert graph.items.tolist() == [1]
    assert walks.shape == (4_000, 3)
    assert np.mean(walks[:, 1] == 2) == pytest.approx(0.75, abs=0.03)
    assert not walks[:, 2].any()


@given(
    sessions=st.lists(st.lists(st.integers(1, 9), min_size=2, max_size=6), min_size=1, max_size=8),
    together=st.integers(1, 4),
    window=st.integers(1, 3),
    seed=st.integers(0, 9),
)
def test_contexts_are_near_their_centre_in_a_walk(
    sessions: list[list[int]], together: int, window: int, seed: int
) -> None:
    graph = ItemGraph.of(sessions_of(*sessions), 9, 2, 0.5)
    if not graph.target.size:
        return
    rng = np.random.default_rng(seed)
    walks = graph.walks(3, 5, rng)
    edges = set(
        zip(np.repeat(np.arange(11)[:-1], np.diff(graph.starts)).tolist(), graph.target.tolist(), strict=True)
    )
    for walk in walks.tolist():
        assert all(not second or (first, second) in edges for first, second in pairwise(walk))
    centres, contexts = walk_contexts(walks, window, together, 10_000, rng)
    near = {
        (walk[place], walk[place + step])
        for walk in walks.tolist()
        for place in range(len(walk))
        for step in range(-window, window + 1)
        if 0 <= place + step < len(walk)
    }
    assert contexts.shape == (len(centres), together)
    assert all(
        (c, o) in near and c != o and o
        for c, row in zip(centres.tolist(), contexts.tolist(), strict=True)
        for o in row
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    """Sessions that stay within one of three categories, and an item of each that none has."""
    folder = tmp_path_factory.mktemp("shop")
    catalogue = make_catalogue(folder, [1 + item // EACH for item in range(3 * EACH)])
    rng, log = np.random.default_rng(2), []
    for user in range(1, 181):
        first = 1 + EACH * (user % 3)
        for step, item in enumerate(rng.choice(EACH - 1, 5, replace=False)):
            log.append((user, first + int(item), PURCHASE, NOW - 10_000 + step))
    source = make_source(catalogue, log)
    settings = GraphEmbeddingSettings(
        enabled=True,
        dimensions=16,
        batch=256,
        walks_per_item=40,
        neighbours=EACH,
        side_information=["category"],
        words=0,
    )
    rows = graph_embedding.build(source, folder, settings)
    return catalogue, source, settings, folder, rows


@pytest.mark.slow
def test_neighbours_are_of_the_same_sessions_also_of_items_that_no_session_has(built) -> None:  # type: ignore[no-untyped-def]
    catalogue, _, settings, folder, rows = built
    assert rows["vectors"] == 3 * EACH
    assert rows["without_session"] == 3
    channel = graph_embedding.open_channel(folder, catalogue, None, settings)  # type: ignore[arg-type]
    for item in (1, EACH + 3, EACH, 3 * EACH):
        recalled = asyncio.run(channel.recall(make_query([(item, PURCHASE, NOW)]), EACH - 2))
        assert len(recalled.items) == EACH - 2
        # Of an item in no session, what it is says the same as what it was with.
        assert (np.asarray(catalogue.category)[recalled.items] == catalogue.category[item]).mean() > 0.9
        assert set(recalled.triggers.tolist()) == {item}
    found = asyncio.run(channel.recall(make_query([(1, PURCHASE, NOW)]), EACH))
    assert EACH in found.items


@pytest.mark.slow
def test_the_same_log_makes_the_same_table(built, tmp_path) -> None:  # type: ignore[no-untyped-def]
    _, source, settings, folder, _ = built
    graph_embedding.build(source, tmp_path, settings)
    for file in sorted(tmp_path.glob("neighbours*.npy")):
        assert file.read_bytes() == (folder / file.name).read_bytes()


def test_sessions_of_one_item_switch_it_off(tmp_path) -> None:  # type: ignore[no-untyped-def]
    source = make_source(make_catalogue(tmp_path, [1, 1]), [(1, 1, PURCHASE, 0), (2, 2, PURCHASE, 0)])
    with pytest.raises(NothingToRecall):
        graph_embedding.build(source, tmp_path, GraphEmbeddingSettings())


def test_a_column_that_forms_no_groups_is_refused() -> None:
    with pytest.raises(ValueError, match="groups or bands"):
        GraphEmbeddingSettings(side_information=["title"])
