"""Items without category, brand, title, price and picture: part of everything that needs none of them."""

import asyncio
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from ingest.ingest_folder import ingest_folder
from ingest.settings import IngestSettings
from recall.build import build_channels, open_channels, switched_off
from recall.registry import CHANNELS
from recall.triggers import select_triggers
from testing.synthetic_shop import CREATED_AT, write_synthetic_shop
from tests.recall.conftest import DIMENSIONS, every_channel, source_of
from tests.recall.small_shop import make_query, services_of

OF_WHAT_ITEMS_ARE = {
    "category_hot",
    "attributes",
    "latent_categories",
    "item_units",
    "context",
    "query_intent",
}
"""Channels by which an item without any value cannot be found."""
WAITING = {"similar_look", "outfit", "alert_picks", "fresh"}
"""Those that wait for pictures, outfits, alerts or new items."""
BARE, ITEMS = 20, 120


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A made-up shop whose best-known items have an id and stock alone; all of its channels."""
    folder = tmp_path_factory.mktemp("shop")
    write_synthetic_shop(folder, users=60, items=ITEMS, events=4_000)
    items = pl.read_csv(folder / "items.csv")
    events = pl.read_csv(folder / "events.csv").drop("price", strict=False)
    best = events["item_id"].value_counts(sort=True)["item_id"].head(BARE)
    events.write_csv(folder / "events.csv")
    values = pl.exclude("item_id", "in_stock", "adult")
    items.with_columns(
        pl.when(pl.col("item_id").is_in(best.implode())).then(None).otherwise(values).name.keep(),
        in_stock=pl.lit(True),
    ).write_csv(folder / "items.csv")
    dataset = ingest_folder(folder, folder / "workspace", IngestSettings(), 0, created_at=CREATED_AT)
    source = replace(source_of(dataset, dataset.manifest.time_range[1]), pictures=None, outfits=None)
    build_channels(source, folder / "recall", every_channel())
    interests = np.random.default_rng(0).normal(size=(4, DIMENSIONS)).astype(np.float32)
    channels = open_channels(folder / "recall", dataset.catalogue, services_of(interests), every_channel())
    return dataset, source, channels, set(dataset.catalogue.dense(best.to_list()).tolist()), folder


def queries(source, count=40):
    for user in range(1, count + 1):
        own = source.events.filter(pl.col("user") == user).tail(30).reverse()
        past = list(own.select("item", "event", "ts").iter_rows())
        query = replace(make_query(past, purchases=[(i, t) for i, e, t in past if e == 5]), now=source.now)
        triggers, weights = select_triggers(
            query.history_items, query.history_events, query.history_ts, source.now
        )
        yield replace(query, triggers=triggers, trigger_weights=weights)


def test_items_of_which_nothing_is_known_have_no_values(shop):
    dataset, _, _, bare, _ = shop
    for column in ("category", "standard_category", "brand", "price_band"):
        assert not dataset.catalogue.column(column)[sorted(bare)].any()
    assert set(dataset.catalogue.titles(np.array(sorted(bare)))) == {""}


@pytest.mark.parametrize("name", sorted(set(CHANNELS) - WAITING - OF_WHAT_ITEMS_ARE))
def test_behaviour_alone_recalls_them(shop, name):
    _, source, channels, bare, _ = shop
    found = [asyncio.run(channels[name].recall(query, 60)).items for query in queries(source)]
    assert bare & set(np.concatenate(found).tolist())


@pytest.mark.parametrize("name", sorted(OF_WHAT_ITEMS_ARE - {"context", "query_intent"}))
def test_what_needs_a_value_answers_with_others(shop, name):
    _, source, channels, bare, _ = shop
    found = np.concatenate([asyncio.run(channels[name].recall(query, 60)).items for query in queries(source)])
    assert found.size
    assert not bare & set(found.tolist())


def test_channels_without_anything_to_recall_by_are_switched_off(shop):
    *_, folder = shop
    off = switched_off(folder / "recall", every_channel())
    assert set(off) == {"similar_look", "outfit"}
    assert "pictures" in off["similar_look"]
