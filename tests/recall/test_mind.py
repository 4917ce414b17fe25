import asyncio
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.stages import DependencyError
from recall import mind
from recall.interest_search import InterestFiles
from recall.mind import MindChannelSettings
from snapshot import SnapshotError
from tests.recall.small_shop import (
    NOW,
    assert_well_formed,
    make_catalogue,
    make_query,
    make_source,
    services_of,
)

ITEMS, DIMENSIONS = 300, 8
OUT_OF_STOCK, UNTRAINED = 7, 11
VIEW = 2


def unit_vectors(seed: int, count: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, DIMENSIONS)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    return make_catalogue(tmp_path_factory.mktemp("shop"), [1] * ITEMS, [OUT_OF_STOCK])


@pytest.fixture(scope="module")
def vectors():
    table = np.vstack([np.zeros((1, DIMENSIONS), np.float32), unit_vectors(0, ITEMS)])
    table[UNTRAINED] = 0
    return table


@pytest.fixture(scope="module")
def folder(catalogue, vectors, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    rows = mind.build(make_source(catalogue, [], vectors=vectors), folder, MindChannelSettings())
    assert rows == {"vectors": ITEMS, "indexed": ITEMS - 2, "dimensions": DIMENSIONS}
    return folder


def ask(folder, catalogue, interests, history, k, options=MindChannelSettings()):
    channel = mind.open_channel(folder, catalogue, services_of(interests), options)
    query = make_query([(item, VIEW, NOW) for item in history])
    recalled = asyncio.run(channel.recall(query, k))
    assert_well_formed(recalled, k, history)
    return recalled


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 1_000),
    silent=st.lists(st.booleans(), min_size=4, max_size=4),
    history=st.lists(st.integers(1, ITEMS), min_size=1, max_size=60),
    k=st.integers(0, ITEMS + 10),
)
def test_interests_are_merged_by_their_best_match(folder, catalogue, vectors, seed, silent, history, k):
    interests = unit_vectors(seed, 4)
    interests[silent] = 0
    recalled = ask(folder, catalogue, interests, history, k)

    told = interests[np.any(interests != 0, axis=1)]
    if len(told) == 0:
        assert len(recalled.items) == 0
        return
    match = told @ vectors.T
    match[:, [0, OUT_OF_STOCK, UNTRAINED]] = -np.inf
    best = match.max(axis=0)
    expected = np.sort(best[np.isfinite(best)])[::-1][:k]
    np.testing.assert_allclose(recalled.scores, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(recalled.scores, best[recalled.items], rtol=1e-5, atol=1e-6)

    encoded = [item for item in history[:50] if item != UNTRAINED]
    for item, trigger in zip(recalled.items, recalled.triggers, strict=True):
        interest = told[np.argmax(match[:, item])]
        if encoded:
            nearest = max(float(interest @ vectors[past]) for past in encoded)
            assert float(interest @ vectors[trigger]) == pytest.approx(nearest, abs=1e-6)
        else:
            assert trigger == 0


@pytest.mark.parametrize("index", ["flat", "hnsw", "ivf"])
def test_vectors_of_indexed_items_are_read_from_the_index(catalogue, vectors, tmp_path, index):
    options = MindChannelSettings(index=index)
    mind.build(make_source(catalogue, [], vectors=vectors), tmp_path, options)
    files = InterestFiles.open(tmp_path, catalogue, options)
    items = np.array([3, OUT_OF_STOCK, 0, ITEMS, UNTRAINED, 3, 1], np.int32)
    assert files.vectors_of(items).tobytes() == vectors[items].tobytes()
    table = np.full_like(vectors, 2)
    of_the_table = replace(files, vectors=table).vectors_of(items) == 2
    assert of_the_table.all(axis=1).tolist() == [item in (0, OUT_OF_STOCK, UNTRAINED) for item in items]
    unsorted = replace(files, from_index=False)
    assert unsorted.vectors_of(items).tobytes() == vectors[items].tobytes()


def test_an_empty_history_recalls_nothing_and_asks_no_model(folder, catalogue):
    async def fail(query, inputs):
        raise AssertionError("the model was asked")

    channel = mind.open_channel(folder, catalogue, mind.Services(lambda model: fail), MindChannelSettings())
    assert len(asyncio.run(channel.recall(make_query(), 10)).items) == 0


def test_what_the_model_raises_is_passed_on(folder, catalogue):
    async def fail(query, inputs):
        raise ConnectionError("Triton is away")

    channel = mind.open_channel(folder, catalogue, mind.Services(lambda model: fail), MindChannelSettings())
    with pytest.raises(ConnectionError, match="away"):
        asyncio.run(channel.recall(make_query([(1, VIEW, NOW)]), 10))


def test_the_model_receives_the_encoded_history(folder, catalogue):
    received = {}

    async def call(query, inputs):
        received.update(inputs)
        return {"interests": np.zeros((1, 2, DIMENSIONS), np.float32)}

    channel = mind.open_channel(folder, catalogue, mind.Services(lambda model: call), MindChannelSettings())
    asyncio.run(channel.recall(make_query([(3, VIEW, NOW), (1, VIEW, NOW - 60)]), 10))
    assert {name: column.shape for name, column in received.items()} == dict.fromkeys(
        ("history_item", "history_event", "history_age"), (1, 50)
    )
    assert received["history_item"][0, :3].tolist() == [3, 1, 0]


def test_interests_of_another_shape_are_a_failed_dependency(folder, catalogue):
    services = services_of(np.zeros((2, DIMENSIONS + 1), np.float32))
    channel = mind.open_channel(folder, catalogue, services, MindChannelSettings())
    with pytest.raises(
        DependencyError, match=r"interests of shape \[1, 2, \d+\], \[1, K, \d+\] was expected"
    ):
        asyncio.run(channel.recall(make_query([(1, VIEW, NOW)]), 10))


@pytest.mark.parametrize("kind", ["hnsw", "ivf"])
def test_approximate_indexes_find_most_of_the_nearest(kind, catalogue, vectors, tmp_path):
    options = MindChannelSettings(index=kind)
    mind.build(make_source(catalogue, [], vectors=vectors), tmp_path, options)
    interests = unit_vectors(3, 2)
    near = ask(tmp_path, catalogue, interests, [1], 50, options)
    match = (interests @ vectors.T).max(axis=0)
    match[[0, OUT_OF_STOCK, UNTRAINED]] = -np.inf
    exact = np.argsort(-match)[:50]
    assert len(np.intersect1d(near.items, exact)) >= 40


def test_a_shop_without_any_vector_recalls_nothing(catalogue, tmp_path):
    vectors = np.zeros((ITEMS + 1, DIMENSIONS), np.float32)
    mind.build(make_source(catalogue, [], vectors=vectors), tmp_path, MindChannelSettings())
    assert len(ask(tmp_path, catalogue, unit_vectors(0, 2), [1], 5).items) == 0


def test_building_without_vectors_says_what_to_do(catalogue, tmp_path):
    with pytest.raises(ValueError, match="train"):
        mind.build(make_source(catalogue, []), tmp_path, MindChannelSettings())


def test_vectors_of_another_data_set_are_refused(catalogue, tmp_path):
    with pytest.raises(ValueError, match="another data set"):
        mind.build(make_source(catalogue, [], vectors=unit_vectors(0, 5)), tmp_path, MindChannelSettings())


@pytest.mark.parametrize("name", ["vectors.npy", "indexed_items.npy", "items.faiss"])
def test_a_torn_file_is_refused_by_name(name, catalogue, vectors, tmp_path):
    mind.build(make_source(catalogue, [], vectors=vectors), tmp_path, MindChannelSettings())
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(SnapshotError, match=name):
        mind.open_channel(tmp_path, catalogue, services_of(unit_vectors(0, 1)), MindChannelSettings())


def test_an_index_of_other_vectors_is_refused(catalogue, vectors, tmp_path):
    mind.build(make_source(catalogue, [], vectors=vectors), tmp_path, MindChannelSettings())
    np.save(tmp_path / "indexed_items.npy", np.arange(1, 5, dtype=np.int32))
    with pytest.raises(SnapshotError, match=r"items\.faiss"):
        mind.open_channel(tmp_path, catalogue, services_of(unit_vectors(0, 1)), MindChannelSettings())
