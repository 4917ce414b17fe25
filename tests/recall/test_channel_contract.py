"""What every registered channel guarantees for any query, over a shop with all of them built.

A channel joins by its registration. Where it needs item vectors of a model, `tests.recall.conftest` makes
random ones under the model's name.
"""

import asyncio
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from environment.board import Surroundings
from recall.build import open_channels
from recall.channel import Channel, ChannelSettings
from recall.registry import CHANNELS
from recall.triggers import select_triggers
from router.query_features.read import default_features
from router.query_features.registry import QUERY_FEATURES
from tests.recall.conftest import DIMENSIONS, every_channel
from tests.recall.small_shop import assert_well_formed, make_query, services_of

ALWAYS_FULL = "hot"
BY_HISTORY = (
    "ranki2i", "bought_together", "mind", "sequential", "item_knn", "visit_knn", "user_knn", "matrix_factors",
    "ease", "svd", "rbm", "naive_bayes", "shortest_path", "graph_embedding", "item_units", "again",
    "retargeting", "category_hot", "attributes", "latent_categories", "similar_look",
)  # fmt: skip
"""Channels that return nothing for a shopper without a history; another one may answer anybody."""
ITEMS = 400
histories = st.lists(
    st.tuples(st.integers(1, ITEMS), st.integers(1, 5), st.integers(-60, 40 * 86_400)), max_size=200
)


@pytest.fixture(scope="module")
def interests():
    vectors = np.random.default_rng(1).normal(size=(4, DIMENSIONS)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[3] = 0
    return vectors


@pytest.fixture(scope="module")
def channels(shop, interests) -> dict[str, Channel]:
    return open_channels(shop.folder, shop.dataset.catalogue, services_of(interests), every_channel())


def query_of(shop, history, profile, alerts=()):
    now = shop.source.now
    past = sorted(((item, event, now - age) for item, event, age in history), key=lambda row: -row[2])
    purchases = [(item, ts) for item, event, ts in past if event == 5]
    features = default_features(QUERY_FEATURES) | {"surroundings": Surroundings("Bonn", alerts)}
    query = replace(make_query(past, profile=profile, purchases=purchases), now=now, features=features)
    triggers, weights = select_triggers(query.history_items, query.history_events, query.history_ts, now)
    return replace(query, triggers=triggers, trigger_weights=weights)


@pytest.mark.parametrize("name", list(CHANNELS))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
@given(
    history=histories,
    k=st.integers(0, 450),
    profile=st.fixed_dictionaries(
        {},
        optional={
            "gender": st.sampled_from(["f", "?"]),
            "age_band": st.just("25-34"),
            "city": st.just("Bonn"),
        },
    ),
    alerts=st.sampled_from([(), ("haze",), ("haze", "heat"), ("unheard",)]),
)
def test_answers_are_well_formed(shop, channels, name, history, k, profile, alerts):
    query = query_of(shop, history, profile, alerts)
    recalled = asyncio.run(channels[name].recall(query, k))
    assert_well_formed(recalled, k, [*query.triggers, *query.history_items])
    assert shop.dataset.catalogue.in_stock[recalled.items].all()


@pytest.mark.parametrize("name", list(CHANNELS))
def test_the_same_question_gets_the_same_answer(shop, channels, name):
    past = [(item, 2, item * 1_000) for item in range(1, 40)]
    query = query_of(shop, past, {"gender": "f"}, ("haze",))
    first, second = (asyncio.run(channels[name].recall(query, 60)) for _ in range(2))
    for left, right in zip(first, second, strict=True):
        np.testing.assert_array_equal(left, right)


def test_an_unknown_shopper_gets_a_full_answer_from_hot_and_none_elsewhere(shop, channels):
    query = query_of(shop, [], {})
    in_stock = int(shop.dataset.catalogue.in_stock[1:].sum())
    for k in (1, 100, in_stock, in_stock + 1):
        assert len(asyncio.run(channels[ALWAYS_FULL].recall(query, k)).items) == min(k, in_stock)
    for name in BY_HISTORY:
        assert len(asyncio.run(channels[name].recall(query, 100)).items) == 0


@pytest.mark.parametrize("name", list(CHANNELS))
def test_a_channel_has_its_registered_name(channels, name):
    assert channels[name].name == name
    assert isinstance(channels[name], Channel)


@pytest.mark.parametrize("name", list(CHANNELS))
def test_every_setting_of_a_channel_has_a_default_and_a_description(name):
    kind = CHANNELS[name]
    assert issubclass(kind.settings, ChannelSettings)
    assert kind.settings.__doc__
    for key, setting in kind.settings.model_fields.items():
        assert setting.description, key
        assert not setting.is_required(), key


@pytest.mark.parametrize("name", [name for name, kind in CHANNELS.items() if kind.models])
def test_a_channel_whose_model_is_not_trained_says_which_one_it_needs(shop, tmp_path, name):
    kind = CHANNELS[name]
    with pytest.raises(ValueError, match=f"{name} needs item vectors of the model {kind.models[0]}"):
        kind.build(replace(shop.source, vectors={}), tmp_path, kind.settings())
