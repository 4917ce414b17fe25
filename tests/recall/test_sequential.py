"""The channel `sequential`: what its model receives; vectors of any length are compared by their product."""

import asyncio

import numpy as np

from recall import sequential
from recall.channel import Services
from recall.sequential import SequentialChannelSettings
from tests.recall.small_shop import NOW, make_catalogue, make_query, make_source

ITEMS, VIEW = 40, 2


def test_items_are_ordered_by_their_product_with_the_shoppers_vector(tmp_path):
    catalogue = make_catalogue(tmp_path, [1] * ITEMS)
    vectors = np.random.default_rng(0).normal(size=(ITEMS + 1, 6)).astype(np.float32)
    vectors[0] = 0
    vectors[9] *= 5
    received = {}

    async def call(query, inputs):
        received.update(inputs)
        return {"interests": vectors[None, None, 9]}

    source = make_source(catalogue, [])
    source.vectors["sequential"] = vectors
    folder = tmp_path / "tables"
    folder.mkdir()
    settings = SequentialChannelSettings()
    assert sequential.build(source, folder, settings) == {"vectors": ITEMS, "indexed": ITEMS, "dimensions": 6}
    channel = sequential.open_channel(folder, catalogue, Services(lambda model: call), settings)
    query = make_query([(3, VIEW, NOW), (1, VIEW, NOW - 60)])
    recalled = asyncio.run(channel.recall(query, 10))
    products = vectors[1:] @ vectors[9]
    assert recalled.items.tolist() == (np.argsort(-products)[:10] + 1).tolist()
    assert set(received) == {"history_item", "history_event"}
    nearest = max((3, 1), key=lambda item: products[item - 1])
    assert set(recalled.triggers.tolist()) == {nearest}
