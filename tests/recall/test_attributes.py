import asyncio

import numpy as np
import pytest
from pydantic import ValidationError

from recall import attributes
from recall.attributes import AttributesSettings
from recall.channel import NothingToRecall
from snapshot import Catalogue, write_catalogue
from tests.recall.small_shop import NO_INTERESTS, NOW, assert_well_formed, make_query, make_source
from tests.snapshot.contents import columns as empty_columns

VIEW = 2
# Items 1-3 are Alder's teas, 3 sold out, 4 Alder's mug, 5 Birch's tea; 6 has no brand, 7 no category.
CATEGORIES = (1, 1, 1, 2, 1, 1, 0)
BRANDS = (1, 1, 1, 1, 2, 0, 1)
TAKERS = {1: 1, 2: 3, 3: 9, 4: 4, 5: 6, 6: 9, 7: 2}


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop") / "catalogue"
    columns = empty_columns(len(BRANDS))
    columns["category"][1:], columns["brand"][1:] = CATEGORIES, BRANDS
    columns["in_stock"][1:] = True
    columns["in_stock"][3] = False
    items = [f"i{item}" for item in range(1, len(BRANDS) + 1)]
    columns["title"] = ["", *items]
    names = {"category": ["tea", "mug"], "brand": ["Alder", "Birch"]}
    write_catalogue(folder, items, columns, names, {})
    return Catalogue.open(folder)


def source_of(catalogue):
    events = [(user, item, VIEW, NOW) for item, count in TAKERS.items() for user in range(1, count + 1)]
    return make_source(catalogue, events)


def recall(catalogue, folder, options, triggers, weights, k=10):
    attributes.build(source_of(catalogue), folder, options)
    channel = attributes.open_channel(folder, catalogue, NO_INTERESTS, options)
    recalled = asyncio.run(channel.recall(make_query(triggers=triggers, weights=weights), k))
    assert_well_formed(recalled, k, triggers)
    return recalled


def test_what_shares_brand_and_category_leads_what_shares_the_brand(catalogue, tmp_path):
    options = AttributesSettings(popularity_exponent=0)
    recalled = recall(catalogue, tmp_path, options, [1], [0.5])
    # Alder's teas in stock were taken 4 times, all of Alder's 10 times.
    assert recalled.items.tolist() == [2, 4, 1, 7]
    expected = [0.5 * (3 / 4 + 3 / 10), 0.5 * 4 / 10, 0.5 * (1 / 4 + 1 / 10), 0.5 * 2 / 10]
    np.testing.assert_allclose(recalled.scores, expected, rtol=1e-6)
    assert recalled.triggers.tolist() == [1, 1, 1, 1]


def test_an_item_without_a_brand_takes_part_where_none_is_needed(catalogue, tmp_path):
    options = AttributesSettings(combinations=[["brand"], ["category"]], popularity_exponent=0)
    recalled = recall(catalogue, tmp_path, options, [5], [1.0])
    assert recalled.items.tolist() == [5, 6, 2, 1]
    assert recall_of_nothing_known(catalogue, tmp_path / "other").items.size == 0


def recall_of_nothing_known(catalogue, folder):
    folder.mkdir()
    return recall(catalogue, folder, AttributesSettings(), [6], [1.0])


def test_the_trigger_named_is_the_heaviest_that_shares_the_values(catalogue, tmp_path):
    options = AttributesSettings(combinations=[["category"]])
    recalled = recall(catalogue, tmp_path, options, [4, 1, 2], [0.3, 0.1, 0.2])
    named = dict(zip(recalled.items.tolist(), recalled.triggers.tolist(), strict=True))
    assert named == {4: 4, 1: 2, 2: 2, 5: 2, 6: 2}


def test_only_the_strongest_values_count(catalogue, tmp_path):
    options = AttributesSettings(combinations=[["category"]], groups=1)
    assert recall(catalogue, tmp_path, options, [4, 1], [0.3, 0.1]).items.tolist() == [4]


def test_a_shop_without_values_switches_it_off(catalogue, tmp_path):
    options = AttributesSettings(combinations=[["shop"], ["shop", "venue"]])
    with pytest.raises(NothingToRecall, match="has values of shop or of shop and venue"):
        attributes.build(source_of(catalogue), tmp_path, options)


@pytest.mark.parametrize(
    ("combinations", "reason"),
    [
        ([["brnd"]], "item columns of groups or bands: .*brand.*; got 'brnd'"),
        ([["price"]], "got 'price'"),
        ([["brand", "brand"]], "different item columns"),
        ([[]], "different item columns"),
        ([], "at least 1"),
    ],
)
def test_combinations_that_cannot_be_are_refused(combinations, reason):
    with pytest.raises(ValidationError, match=reason):
        AttributesSettings(combinations=combinations)
