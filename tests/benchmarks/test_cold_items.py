"""Items taken out of a log, and what is found of them."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.cold_items import by_category, channel_lists, gains_of, sample_part, without
from testing.synthetic_shop import synthetic_dataset


@pytest.fixture(scope="module")
def part(tmp_path_factory):
    return sample_part(synthetic_dataset(tmp_path_factory.mktemp("shop"), users=80, items=120, events=6_000))


@pytest.fixture(scope="module")
def drawn(part):
    return np.sort(np.random.default_rng(0).choice(part.source.catalogue.size, 30, replace=False) + 1)


def test_drawn_items_leave_the_log_and_are_all_that_is_asked_for(part, drawn) -> None:
    asked = without(part, drawn, 1_000, 1)
    assert np.isin(part.source.events["item"].to_numpy(), drawn).any()
    assert not np.isin(asked.source.events["item"].to_numpy(), drawn).any()
    assert 2 < len(asked.shoppers) < len(part.shoppers)
    for shopper in asked.shoppers:
        assert np.isin(shopper.targets, drawn).all()
        assert not np.isin(shopper.targets, shopper.query.history_items).any()
    assert len(without(part, drawn, 2, 1).shoppers) == 2


def test_hits_are_counted_among_all_and_among_the_drawn(part) -> None:
    shopper = replace(part.shoppers[0], targets=np.array([7, 9], np.int32))
    one = SimpleNamespace(shoppers=[shopper], hidden=[np.array([1])])
    drawn = np.array([7, 8, 9])
    gains = gains_of([np.array([1, 2, *range(20, 230), 7, 8, 9])], one, drawn)
    assert {name: values.tolist() for name, values in gains.items()} == {
        "recall": [0.0], "hr@10": [1.0], "hr@50": [1.0], "listed": [3.0],
    }  # fmt: skip
    assert gains_of([np.array([9, 2])], one, drawn)["recall"].tolist() == [0.5]
    assert np.isnan(gains_of([np.array([9])], one, drawn, among_all=False)["recall"]).all()


def test_drawn_items_of_the_histories_categories_come_first(part, drawn) -> None:
    asked = without(part, drawn, 10, 1)
    category = np.asarray(part.source.catalogue.category)
    for items, shopper in zip(
        by_category(asked, drawn, part.source.catalogue, 1), asked.shoppers, strict=True
    ):
        assert sorted(items.tolist()) == drawn.tolist()
        share = np.bincount(category[shopper.query.history_items], minlength=int(category.max()) + 1)
        assert (np.diff(share[category[items]]) <= 0).all()


def test_vectors_of_units_list_what_no_session_has(part, drawn) -> None:
    asked = without(part, drawn, 20, 1)
    lists = channel_lists(asked, "item_units", {"dimensions": 8, "max_pairs": 2_000})
    assert gains_of(lists, asked, drawn)["listed"].mean() > 0
    lists = channel_lists(asked, "item_knn", {})
    assert gains_of(lists, asked, drawn)["listed"].mean() == 0
