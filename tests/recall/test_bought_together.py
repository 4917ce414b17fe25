"""Items of the same baskets, less what is in every basket."""

import asyncio
import math

import pytest

from recall import bought_together
from recall.bought_together_settings import BoughtTogetherSettings
from tests.recall.small_shop import (
    DAY,
    NO_INTERESTS,
    NOW,
    assert_well_formed,
    make_catalogue,
    make_query,
    make_source,
)

PURCHASE = 5
CATEGORIES = (1, 1, 2, 2, 3, 1)
OUT_OF_STOCK = 4
MILK, TEA, CAKE, SOLD_OUT, BREAD, NEW = range(1, 7)


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    return make_catalogue(tmp_path_factory.mktemp("shop"), CATEGORIES, [OUT_OF_STOCK])


def recalled(catalogue, folder, baskets, triggers, weights=None, k=10, **options):
    events = [
        (shopper, item, PURCHASE, NOW - DAY * shopper + item)
        for shopper, items in enumerate(baskets, start=1)
        for item in items
    ]
    settings = BoughtTogetherSettings(**options)
    bought_together.build(make_source(catalogue, events), folder, settings)
    channel = bought_together.open_channel(folder, catalogue, NO_INTERESTS, settings)
    answer = asyncio.run(channel.recall(make_query(triggers=triggers, weights=weights), k))
    assert_well_formed(answer, k, triggers)
    return dict(zip(answer.items.tolist(), answer.scores.tolist(), strict=True))


BASKETS = [(MILK, TEA), (MILK, CAKE, SOLD_OUT), (MILK, CAKE), (MILK, BREAD, CAKE)]


def test_scores_are_those_of_the_formula(catalogue, tmp_path):
    """Sold out items are left out, the trigger itself too."""
    scores = recalled(catalogue, tmp_path, BASKETS, [MILK], complete_below=0, popularity_exponent=0.3)
    two, three = 1 / math.log2(3), 1 / math.log2(4)
    assert scores == pytest.approx(
        {
            CAKE: (two + 2 * three) / 13**0.3,
            TEA: two / 11**0.3 * 2,  # of the trigger's category
            BREAD: three / 11**0.3,
        }
    )


def test_a_trigger_counts_by_its_weight(catalogue, tmp_path):
    both = recalled(catalogue, tmp_path, BASKETS, [MILK, TEA], [0.5, 1.0], complete_below=0)
    two = 1 / math.log2(3)
    assert both[MILK] == pytest.approx(two / 14**0.3 * 2)
    assert both[TEA] == pytest.approx(0.5 * two / 11**0.3 * 2)


def test_an_exponent_demotes_what_is_in_every_basket(catalogue, tmp_path):
    baskets = [(TEA, BREAD), (TEA, BREAD), *[(MILK, BREAD)] * 40, (TEA, CAKE)]
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    plain = recalled(catalogue, tmp_path / "a", baskets, [TEA], complete_below=0, popularity_exponent=0.0)
    less = recalled(catalogue, tmp_path / "b", baskets, [TEA], complete_below=0, popularity_exponent=1.0)
    assert list(plain) == [BREAD, CAKE]
    assert list(less) == [CAKE, BREAD]


def test_an_item_of_no_basket_is_completed_from_its_category(catalogue, tmp_path):
    scores = recalled(catalogue, tmp_path, BASKETS, [NEW])
    assert {MILK, TEA} <= set(scores)
    assert SOLD_OUT not in scores
    (tmp_path / "best_sold").mkdir()
    best_sold = recalled(catalogue, tmp_path / "best_sold", BASKETS, [NEW], category_baskets=0.0)
    assert next(iter(best_sold)) == MILK
    assert set(best_sold) == set(scores)


def test_a_trigger_of_one_basket_is_completed_by_what_its_category_goes_with(catalogue, tmp_path):
    """NEW was bought once, with TEA's partner; what goes with MILK and TEA counts for it too."""
    baskets = [(NEW, BREAD), *[(MILK, TEA)] * 5, *[(CAKE, BREAD)] * 5]
    own = recalled(catalogue, tmp_path, baskets, [NEW], complete_below=0)
    assert list(own) == [BREAD]
    (tmp_path / "completed").mkdir()
    completed = recalled(catalogue, tmp_path / "completed", baskets, [NEW])
    assert set(list(completed)[:2]) == {MILK, TEA}
    assert completed[BREAD] >= own[BREAD], "its own basket still counts"


def test_a_trigger_that_is_seldom_taken_is_completed_however_many_neighbours_it_has(catalogue, tmp_path):
    """NEW's one basket is full of chance; what its category goes with is recalled besides."""
    baskets = [(NEW, BREAD), *[(MILK, TEA)] * 5, *[(CAKE, BREAD)] * 5]
    own = recalled(catalogue, tmp_path, baskets, [NEW], complete_below=1, complete_seldom=0)
    assert list(own) == [BREAD]
    (tmp_path / "completed").mkdir()
    completed = recalled(catalogue, tmp_path / "completed", baskets, [NEW], complete_below=1)
    assert {MILK, TEA, BREAD} <= set(completed)


def test_an_empty_log_makes_empty_tables(catalogue, tmp_path):
    assert recalled(catalogue, tmp_path, [], [MILK]) == {}
