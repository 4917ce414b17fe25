"""New items by Thompson sampling: what is new, and how draws follow from what was counted."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recall import fresh
from recall.beta_draws import beta_draws, seed_of, uniforms
from recall.channel import NothingToRecall
from recall.fresh_settings import FreshSettings
from recall.fresh_trials import FEATURE, NO_TRIALS, NoTrials
from snapshot.item_keys import item_keys
from tests.recall.small_shop import DAY, NO_INTERESTS, NOW, make_catalogue, make_query, make_source

VIEW, IMPRESSION = 2, 1


class Counted(NoTrials):
    """Trials with impressions and clicks by item and category, and items whose budget is spent."""

    def __init__(self, items=None, categories=None, spent=()):
        self.items, self.categories = items or {}, categories or {}
        self.spent = item_keys([f"i{item}" for item in spent])

    def counted(self, keys, categories, now):
        by_key = {int(item_keys([f"i{item}"])[0]): counts for item, counts in self.items.items()}
        items = [by_key.get(key, (0, 0)) for key in keys.tolist()]
        groups = [self.categories.get(name, (0, 0)) for name in categories]
        return np.array(items, np.float32).reshape(-1, 2), np.array(groups, np.float32).reshape(-1, 2)

    def claim(self, scene, keys, order, most, budgets, now):
        return order[~np.isin(keys[order], self.spent)][:most]


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    # Item 5 is out of stock; when items were created is not known.
    return make_catalogue(tmp_path_factory.mktemp("shop"), [1, 1, 1, 2, 2, 2, 2], out_of_stock=[5])


OLD_AND_NEW = [(1, 1, VIEW, NOW - 60 * DAY), (2, 1, VIEW, NOW - DAY), (1, 2, VIEW, NOW - 2 * DAY)]


@pytest.fixture(scope="module")
def built(catalogue, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fresh")
    assert fresh.build(make_source(catalogue, OLD_AND_NEW), folder, FreshSettings()) == {"items": 5}
    return folder


def recalled(catalogue, folder, trials=NO_TRIALS, k=50, user="u", now=NOW, **settings):
    channel = fresh.open_channel(folder, catalogue, NO_INTERESTS, FreshSettings(**settings))
    return ask(channel, trials, k, user, now)


def ask(channel, trials=NO_TRIALS, k=50, user="u", now=NOW + 1):
    query = replace(make_query(), user_id=user, now=now, features={FEATURE: trials})
    return asyncio.run(channel.recall(query, k))


def test_new_is_what_was_first_seen_lately_or_never(catalogue, built):
    answer = recalled(catalogue, built, now=NOW + 1)
    assert sorted(answer.items.tolist()) == [2, 3, 4, 6, 7]
    # Item 2 came two days before the others.
    assert sorted(recalled(catalogue, built, now=NOW + 29 * DAY).items.tolist()) == [3, 4, 6, 7]
    assert not recalled(catalogue, built, now=NOW + 31 * DAY).items.size


def test_a_shop_without_new_items_switches_it_off(catalogue, tmp_path):
    long_ago = [(1, item, VIEW, NOW - 50 * DAY) for item in range(1, 8)]
    with pytest.raises(NothingToRecall, match="no item in stock is newer than 30 days"):
        fresh.build(make_source(catalogue, long_ago), tmp_path, FreshSettings())


def test_the_newest_are_kept(catalogue, tmp_path):
    fresh.build(make_source(catalogue, OLD_AND_NEW), tmp_path, FreshSettings(max_items=3))
    assert sorted(recalled(catalogue, tmp_path, now=NOW + 1).items.tolist()) == [3, 4, 6]


@settings(max_examples=10, deadline=None)
@given(user=st.text(max_size=8), days=st.integers(0, 20), k=st.integers(0, 9), limit=st.integers(1, 9))
def test_draws_follow_from_shopper_and_day(catalogue, built, user, days, k, limit):
    now = (NOW // DAY + days) * DAY + 3_600
    first = recalled(catalogue, built, k=k, user=user, now=now, limit=limit)
    later = recalled(catalogue, built, k=k, user=user, now=now + (7_200 if user else 30), limit=limit)
    for left, right in zip(first, later, strict=True):
        np.testing.assert_array_equal(left, right)
    assert first.items.size <= min(k, limit)
    assert (np.diff(first.scores) <= 0).all()
    assert ((first.scores > 0) & (first.scores < 1)).all()


def test_shoppers_and_days_draw_differently(catalogue, built):
    orders = {tuple(recalled(catalogue, built, user=f"u{n}", now=NOW + 1).items.tolist()) for n in range(40)}
    assert len(orders) > 20


def test_draws_are_those_of_the_beta_distribution():
    random, keys = np.random.default_rng(5), item_keys([f"i{n}" for n in range(20_000)])
    for number, (a, b) in enumerate([(0.3, 2.0), (1.0, 49.0), (40.0, 7.0), (2.5, 0.6)]):
        drawn = beta_draws(np.full(keys.size, a), np.full(keys.size, b), number, keys)
        assert ((drawn >= 0) & (drawn <= 1)).all()
        levels = np.linspace(0.02, 0.98, 25)
        expected = np.quantile(random.beta(a, b, 200_000), levels)
        assert np.abs((drawn[:, None] < expected).mean(axis=0) - levels).max() < 0.015
    first, second = (uniforms(seed_of(text), keys, 2) for text in ("u\0001", "u\0002"))
    for one, other in ((first[0], first[1]), (first[0], second[0])):
        assert abs(np.corrcoef(one, other)[0, 1]) < 0.03


def test_a_draw_moves_gradually_with_what_is_counted():
    keys, clicks = item_keys([f"i{n}" for n in range(300)]), np.linspace(0, 20, 41)
    drawn = np.stack([beta_draws(np.full(300, 1 + c), np.full(300, 49.0), 7, keys) for c in clicks])
    assert (np.diff(drawn, axis=0) > 0).mean() > 0.99
    assert np.quantile(np.abs(np.diff(drawn, axis=0)), 0.995) < 0.03


def first_places(catalogue, folder, trials, shoppers=80):
    channel = fresh.open_channel(folder, catalogue, NO_INTERESTS, FreshSettings())
    heads = [ask(channel, trials, k=1, user=f"u{n}").items[0] for n in range(shoppers)]
    return np.bincount(heads, minlength=8) / shoppers


def test_what_is_clicked_is_drawn_more_and_what_is_seen_in_vain_less(catalogue, built):
    usual = first_places(catalogue, built, NO_TRIALS)
    moved = first_places(catalogue, built, Counted({3: (400, 40), 7: (400, 0)}))
    assert moved[3] > 0.7 > 0.4 > usual[3]
    assert moved[7] < 0.02 < usual[7]
    # Of one that nobody clicked a category's clicks tell something.
    by_category = first_places(catalogue, built, Counted(categories={"c1": (1_000, 100)}))
    assert by_category[[2, 3]].sum() > usual[[2, 3]].sum() + 0.3


def test_an_item_whose_budget_is_spent_leaves_its_place_to_the_next(catalogue, built):
    before = recalled(catalogue, built, now=NOW + 1).items.tolist()
    after = recalled(catalogue, built, Counted(spent=before[:1]), k=2, now=NOW + 1).items.tolist()
    assert after == before[1:3]


def test_rates_of_categories_come_from_impressions_where_the_log_has_them(catalogue, tmp_path):
    shown = [(n, item, IMPRESSION, NOW - DAY) for n in range(500) for item in (2, 4)]
    clicks = [(n, 4, VIEW, NOW - 1) for n in range(100)] + [(n, 2, VIEW, NOW) for n in range(5)]
    fresh.build(make_source(catalogue, shown + clicks), tmp_path, FreshSettings())
    prior = np.load(tmp_path / "prior.npy")
    by_item = dict(zip(np.load(tmp_path / "items.npy").tolist(), prior.tolist(), strict=True))
    assert by_item[2] == by_item[3] == pytest.approx((5 + 50 * 106 / 1050) / 550, rel=1e-3)
    assert by_item[6] == pytest.approx((100 + 50 * 106 / 1050) / 550, rel=1e-3)
