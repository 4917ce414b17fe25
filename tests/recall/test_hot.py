import asyncio

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recall import hot
from recall.hot_tables import HotSettings
from recall.lists import ItemLists
from snapshot import SnapshotError
from tests.recall.small_shop import (
    DAY,
    NO_INTERESTS,
    NOW,
    assert_well_formed,
    make_catalogue,
    make_query,
    make_source,
)

VIEW, PURCHASE = 2, 5
ITEMS = 12
OUT_OF_STOCK = 4
YOUNG, OLD = "18-24", "50+"
OWN_TASTE_ONLY = HotSettings(minimum_users=2, minimum_item_users=1, shrinkage=0)


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    return make_catalogue(tmp_path_factory.mktemp("shop"), [1] * ITEMS, [OUT_OF_STOCK])


def user(gender=None, age=None, city=None):
    return {"gender": gender, "age_band": age, "city": city}


@pytest.fixture(scope="module")
def channel(catalogue, tmp_path_factory):
    """Women like item 1, young people 2, young women 3, people in Bonn 5, everybody 6."""
    users = [
        *[user("f", YOUNG, "Bonn")] * 2,
        *[user("f", OLD)] * 3,
        *[user("m", YOUNG)] * 3,
        *[user()] * 4,
        *[user(city="Bonn")] * 2,
        user("x"),
    ]
    likes = [[3, 1]] * 2 + [[1]] * 3 + [[2]] * 3 + [[6]] * 4 + [[5, 6]] * 2 + [[7, OUT_OF_STOCK]]
    events = [(at, item, VIEW, NOW) for at, liked in enumerate(likes, start=1) for item in liked]
    folder = tmp_path_factory.mktemp("tables")
    hot.build(make_source(catalogue, events, users), folder, OWN_TASTE_ONLY)
    return hot.open_channel(folder, catalogue, NO_INTERESTS, OWN_TASTE_ONLY)


def recall(channel, k=ITEMS, **profile):
    recalled = asyncio.run(channel.recall(make_query(profile=profile), k))
    assert_well_formed(recalled, k, [])
    return recalled.items.tolist()


def test_the_finest_crowd_comes_first_then_coarser_ones_then_everybody(channel):
    # g×a×c and g×a: 1, 3 (both taken by two, ties by item); a×c, g×c the same; a: 2 (3 shoppers); c: 5, 6.
    assert recall(channel, gender="f", age_band=YOUNG, city="Bonn")[:5] == [1, 3, 2, 5, 6]


def test_a_crowd_without_a_list_falls_back_to_a_coarser_one(channel):
    assert recall(channel, gender="f", age_band=YOUNG, city="Celle")[:3] == [1, 3, 2]
    assert recall(channel, gender="m", age_band=YOUNG, city="Celle")[0] == 2
    assert recall(channel, gender="m", age_band=OLD, city="Bonn")[0] == 1, "old people, then men, then Bonn"


def test_a_crowd_too_small_has_no_list(channel):
    assert recall(channel, gender="x") == recall(channel)


def test_everybodys_list_holds_every_item_in_stock_hottest_first(channel):
    ranked = recall(channel)
    assert ranked[:2] == [6, 1]
    assert sorted(ranked) == [item for item in range(1, ITEMS + 1) if item != OUT_OF_STOCK]


@given(
    gender=st.sampled_from([None, "", "f", "m", "x", "?"]),
    age=st.sampled_from([None, YOUNG, OLD, "?"]),
    city=st.sampled_from([None, "Bonn", "?"]),
    k=st.integers(0, ITEMS + 5),
)
def test_any_profile_gets_as_many_as_are_in_stock(channel, gender, age, city, k):
    profile = {"gender": gender, "age_band": age, "city": city}
    items = recall(channel, k, **{field: value for field, value in profile.items() if value is not None})
    assert len(items) == min(k, ITEMS - 1)
    assert OUT_OF_STOCK not in items


def test_an_old_behaviour_counts_less(catalogue, tmp_path):
    events = [(1, 1, PURCHASE, NOW - 60 * DAY), (2, 2, VIEW, NOW)]
    hot.build(make_source(catalogue, events), tmp_path, HotSettings(half_life_days=14))
    assert recall(hot.open_channel(tmp_path, catalogue, NO_INTERESTS, HotSettings()))[:2] == [2, 1]


def test_heat_is_halved_by_the_half_life(catalogue, tmp_path):
    events = [(1, 1, VIEW, NOW - 14 * DAY), (2, 2, VIEW, NOW)]
    hot.build(make_source(catalogue, events), tmp_path, HotSettings(half_life_days=14))
    lists = ItemLists.open(tmp_path, hot.LISTS, 1)
    assert lists.items[:2].tolist() == [2, 1]
    np.testing.assert_allclose(lists.scores[:2], [1, 0.5], rtol=1e-5)


def test_one_shopper_cannot_heat_an_item_alone(catalogue, tmp_path):
    events = [(1, 1, PURCHASE, NOW - at) for at in range(50)] + [(at, 2, VIEW, NOW) for at in (2, 3, 4)]
    hot.build(make_source(catalogue, events), tmp_path, HotSettings())
    assert recall(hot.open_channel(tmp_path, catalogue, NO_INTERESTS, HotSettings()))[:2] == [2, 1]


def test_a_small_crowd_leans_on_everybodys_taste(catalogue, tmp_path):
    users = [user("f")] * 2 + [user("m")] * 20
    events = [(1, 1, VIEW, NOW), (1, 2, VIEW, NOW), (2, 1, VIEW, NOW), (2, 2, VIEW, NOW - DAY)]
    events += [(at, 2, VIEW, NOW) for at in range(3, 23)]
    (tmp_path / "own").mkdir()
    (tmp_path / "mixed").mkdir()
    mixed = OWN_TASTE_ONLY.model_copy(update={"shrinkage": 10.0})
    for name, options in (("own", OWN_TASTE_ONLY), ("mixed", mixed)):
        hot.build(make_source(catalogue, events, users), tmp_path / name, options)
    own = hot.open_channel(tmp_path / "own", catalogue, NO_INTERESTS, OWN_TASTE_ONLY)
    leaning = hot.open_channel(tmp_path / "mixed", catalogue, NO_INTERESTS, mixed)
    assert recall(own, gender="f")[:2] == [1, 2]
    assert recall(leaning, gender="f")[:2] == [2, 1]


def test_crowds_without_everybody_are_refused(catalogue, tmp_path):
    hot.build(make_source(catalogue, [(1, 1, VIEW, NOW)]), tmp_path, HotSettings())
    (tmp_path / hot.CROWDS_FILE).write_bytes(msgspec.json.encode([(("gender", "f"),)]))
    with pytest.raises(SnapshotError, match="everybody"):
        hot.open_channel(tmp_path, catalogue, NO_INTERESTS, HotSettings())


def test_torn_crowds_are_refused(catalogue, tmp_path):
    hot.build(make_source(catalogue, [(1, 1, VIEW, NOW)]), tmp_path, HotSettings())
    (tmp_path / hot.CROWDS_FILE).write_bytes(b"[[")
    with pytest.raises(SnapshotError, match=hot.CROWDS_FILE):
        hot.open_channel(tmp_path, catalogue, NO_INTERESTS, HotSettings())
