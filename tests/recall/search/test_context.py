"""The channel `context` and the wish behind it, over a small catalogue whose answers are checked by eye."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recall import context
from recall.channel import BuildSource
from recall.context import ContextChannel, ContextSettings
from recall.lists import ItemLists
from recall.restricted import Restricted
from recall.search.asked import Asked, Facet
from recall.search.context_index import wish_of
from recall.search.text_index import NAMING_PARTS
from recall.search.text_index_build import naming_parts
from snapshot import Catalogue, SnapshotError, write_catalogue
from tests.recall.small_shop import NO_INTERESTS, assert_well_formed, make_query, make_source
from tests.snapshot.contents import columns as empty_columns

ITEMS = [
    # title, category, standard category, brand, price
    ("Dry dog food, chicken", "Pets > Dog Food", "PETS", "Rex", 12.5),
    ("Wet dog food, beef", "Pets > Dog Food", "PETS", "Bello", 3.0),
    ("Cat food", "Pets > Cat Food", "PETS", "Rex", 4.0),
    ("Dog lead", "Pets > Toys", "PETS", "Rex", np.nan),
    ("Whole milk", "Dairy", "FRESH", "Alm", 1.0),
    ("Café crème", "Coffee", "DRY", "Alm", 5.0),
    ("纯牛奶", "Dairy", "FRESH", "蒙牛", 2.0),
    ("Dog food, sold out", "Pets > Dog Food", "PETS", "Rex", 5.0),
    ("Toothbrush, soft", "Care", "CARE", "Zed", 9.0),
    ("Broom brush", "Household", "HOUSE", "Zed", 9.0),
    ("Icecream", "Frozen", "COLD", "Zed", 9.0),
    ("Ice cream, vanilla", "Frozen", "COLD", "Zed", 9.0),
    ("Vanilla ice cream sandwich", "Frozen", "COLD", "Zed", 9.0),
]
SOLD_OUT, TOOTHBRUSH, BROOM, ICECREAM, ICE_CREAM, SANDWICH = 8, 9, 10, 11, 12, 13


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> BuildSource:
    folder = tmp_path_factory.mktemp("shop")
    columns = empty_columns(len(ITEMS))
    names = {}
    for at, name in ((1, "category"), (2, "standard_category"), (3, "brand")):
        values = sorted({str(item[at]) for item in ITEMS})
        columns[name][1:] = [values.index(str(item[at])) + 1 for item in ITEMS]
        names[name] = values
    columns["price"][1:] = [item[4] for item in ITEMS]
    columns["title"] = ["", *(item[0] for item in ITEMS)]
    columns["in_stock"][1:] = True
    columns["in_stock"][SOLD_OUT] = False
    write_catalogue(folder / "catalogue", [f"i{at}" for at in range(1, len(ITEMS) + 1)], columns, names, {})
    events = [
        (user, item, 5, 1_000_000) for item, users in ((2, 3), (1, 1), (5, 2)) for user in range(1, users + 1)
    ]
    return make_source(Catalogue.open(folder / "catalogue"), events, [{}] * 3)


@pytest.fixture(scope="module")
def folder(source: BuildSource, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    context.build(source, folder, ContextSettings())
    return folder


@pytest.fixture(scope="module")
def channel(source: BuildSource, folder: Path) -> ContextChannel:
    return context.open_channel(folder, source.catalogue, NO_INTERESTS, ContextSettings())


def recalled(channel: ContextChannel, k: int = 20, **asked: object) -> list[int]:
    wish, _ = channel.index.wish(Asked(**asked))  # type: ignore[arg-type]
    found = asyncio.run(channel.recall(replace(make_query(), wish=wish), k))
    assert_well_formed(found, k, [])
    return [int(item) for item in found.items]


def unknown(channel: ContextChannel, **asked: object) -> tuple[str, ...]:
    return channel.index.wish(Asked(**asked))[1]  # type: ignore[arg-type]


def test_a_query_finds_items_with_its_words_best_first(channel: ContextChannel) -> None:
    assert set(recalled(channel, search_query="dog food")[:2]) == {1, 2}
    assert set(recalled(channel, search_query="dog food")) == {1, 2, 3, 4}
    assert recalled(channel, search_query="DOG foods") == recalled(channel, search_query="dog food")
    assert recalled(channel, search_query="cafe creme") == [6]
    assert recalled(channel, search_query="牛奶") == [7]
    assert recalled(channel, search_query="bello") == [2]


def test_a_misspelt_query_finds_what_is_meant(channel: ContextChannel) -> None:
    assert recalled(channel, search_query="mlik") == [5]
    assert recalled(channel, search_query="chick") == [1]


def test_a_short_word_is_corrected_only_where_the_rest_of_the_query_agrees(channel: ContextChannel) -> None:
    assert unknown(channel, search_query="beaf") == ("query_unknown",)
    assert recalled(channel, search_query="dog beaf")[0] == 2
    assert unknown(channel, search_query="dog beaf") == ()
    # No dog food is of milk.
    assert recalled(channel, search_query="wilk dog") == recalled(channel, search_query="dog")


def test_a_query_of_which_a_part_is_understood_says_so(channel: ContextChannel) -> None:
    assert unknown(channel, search_query="dog nonsense") == ("query_partial",)
    assert unknown(channel, search_query="dog milk") == ("query_partial",)
    assert unknown(channel, search_query="dog food") == ()
    # One item has both words, and is sold out.
    assert unknown(channel, search_query="food sold") == ("query_partial",)


def test_where_no_item_has_all_words_those_that_say_what_an_item_is_come_first(
    source: BuildSource, folder: Path, channel: ContextChannel, tmp_path: Path
) -> None:
    for path in folder.iterdir():
        if path.stem != NAMING_PARTS:
            (tmp_path / path.name).write_bytes(path.read_bytes())
    earlier = context.open_channel(tmp_path, source.catalogue, NO_INTERESTS, ContextSettings())
    for opened, foods_first in ((channel, True), (earlier, False)):
        wish, _ = opened.index.wish(Asked(search_query="creme food"))
        assert wish.text is not None
        food, creme = wish.text.scores_of(np.array([2, 6], np.int32))
        assert (food > creme) == foods_first


def test_how_far_a_word_says_what_an_item_is() -> None:
    # Items 1 to 4 are of category 1, item 5 of category 2, item 6 of none.
    category = np.array([0, 1, 1, 1, 1, 2, 0], np.int32)
    of_words = [[1, 2, 3, 4], [1, 2, 5], [6], []]
    offsets = np.cumsum([0, *map(len, of_words)])
    items = np.array([item for words in of_words for item in words], np.int32)
    found = naming_parts(ItemLists(offsets, items, np.ones(items.size, np.float32)), category)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [3 / 9, 2 / 3 * 1 / 9, 0, 0])


def test_a_compound_is_found_written_apart_and_together(channel: ContextChannel) -> None:
    assert recalled(channel, search_query="tooth brush") == [TOOTHBRUSH, BROOM]
    assert recalled(channel, search_query="toothbrush") == [TOOTHBRUSH]
    # Written apart by more items than together.
    assert set(recalled(channel, search_query="icecream")) == {ICECREAM, ICE_CREAM, SANDWICH}
    assert set(recalled(channel, search_query="ice cream")) == {ICECREAM, ICE_CREAM, SANDWICH}
    must = frozenset({Facet.QUERY})
    assert recalled(channel, search_query="soft tooth brush", must=must) == [TOOTHBRUSH]
    # No item has both parts.
    assert unknown(channel, search_query="milkcat") == ("query_unknown",)


def test_items_with_all_words_come_before_those_with_a_rare_one(channel: ContextChannel) -> None:
    wish, _ = channel.index.wish(Asked(search_query="vanilla sandwich"))
    assert wish.text is not None
    both, one = wish.text.scores_of(np.array([SANDWICH, ICE_CREAM], np.int32))
    assert both == 1
    assert one < 0.75
    assert wish.names(channel.index.catalogue, np.array([0, SANDWICH, ICE_CREAM, 5])).tolist() == [
        False,
        True,
        True,
        False,
    ]


def test_a_range_of_prices_names_no_item(channel: ContextChannel) -> None:
    wish, _ = channel.index.wish(Asked(price_minimum=3.0, brand="Rex"))
    assert wish.names(channel.index.catalogue, np.array([2, 3])).tolist() == [False, True]


def test_a_must_is_every_word(channel: ContextChannel) -> None:
    must = frozenset({Facet.QUERY})
    assert set(recalled(channel, search_query="dog food", must=must)) == {1, 2}
    assert recalled(channel, search_query="dog food nonsense", must=must) == []
    wish, _ = channel.index.wish(Asked(search_query="dog food", must=must))
    assert wish.matching == 2


def test_a_category_is_a_leaf_or_the_first_parts_of_a_path(channel: ContextChannel) -> None:
    must = frozenset({Facet.CATEGORY})
    assert set(recalled(channel, category="pets>dog food", must=must)) == {1, 2}
    assert set(recalled(channel, category="Pets", must=must)) == {1, 2, 3, 4}
    assert set(recalled(channel, category="fresh", must=must)) == {5, 7}
    assert recalled(channel, category="Pet", must=must) == []
    assert unknown(channel, category="Pet") == ("category_unknown",)


def test_prices_include_both_ends_and_no_unknown_price(channel: ContextChannel) -> None:
    must = frozenset({Facet.PRICE})
    assert set(recalled(channel, price_minimum=3.0, price_maximum=5.0, must=must)) == {2, 3, 6}
    assert 4 not in recalled(channel, price_minimum=0.0, must=must)
    assert set(recalled(channel, price_maximum=1.0)) == {5}


def test_what_the_catalogue_does_not_know_is_named(channel: ContextChannel) -> None:
    asked = {"search_query": "!!!", "category": "nothing", "brand": "nobody"}
    assert unknown(channel, **asked) == ("query_unknown", "category_unknown", "brand_unknown")
    assert recalled(channel, **asked) == []
    assert recalled(channel, brand="nobody", must=frozenset({Facet.BRAND})) == []


def test_the_hottest_lead_among_equals_and_preferences_add_up(channel: ContextChannel) -> None:
    assert recalled(channel, category="Pets > Dog Food")[0] == 2
    assert recalled(channel, category="Pets > Dog Food", brand="rex")[0] == 1


def test_without_the_index_no_item_satisfies_a_must(channel: ContextChannel) -> None:
    catalogue = channel.index.catalogue
    wish, degraded = wish_of(None, Asked(brand="Rex", must=frozenset({Facet.BRAND})), catalogue)
    assert wish.eligible is not None
    assert not wish.eligible.any()
    assert degraded == ("channel:context",)
    assert wish_of(None, Asked(), catalogue)[1] == ()


TEXTS = st.one_of(
    st.text(max_size=40),
    st.sampled_from(["dog food", "milk", "Pets", "rex", "牛奶", "cafe", "Dairy", "food"]),
)
PRICES = st.one_of(st.none(), st.floats(0, 20), st.floats(0, 1e300))


@settings(max_examples=60, deadline=None)
@given(
    query=TEXTS,
    category=TEXTS,
    brand=TEXTS,
    low=PRICES,
    high=PRICES,
    must=st.frozensets(st.sampled_from(list(Facet))),
    k=st.integers(0, 9),
)
def test_recall_never_violates_a_must(
    channel: ContextChannel,
    query: str,
    category: str,
    brand: str,
    low: float | None,
    high: float | None,
    must: frozenset[Facet],
    k: int,
) -> None:
    asked = Asked(query, category, brand, low, high, must)
    asked = replace(asked, must=asked.must & asked.facets)
    wish, _ = channel.index.wish(asked)
    found = asyncio.run(Restricted(channel).recall(replace(make_query(), wish=wish), k))
    assert found.items.size <= k
    for item in found.items.tolist():
        _, path, standard, name, price = ITEMS[item - 1]
        if Facet.PRICE in asked.must:
            assert price >= np.float32(min(low or 0.0, 3e38))
            assert high is None or price <= np.float32(min(high, 3e38))
        if Facet.BRAND in asked.must:
            assert brand.strip().casefold() == name.casefold()
        if Facet.CATEGORY in asked.must:
            assert category.strip().casefold() in (
                path.casefold(),
                standard.casefold(),
                path.split(" >")[0].casefold(),
            )
        if Facet.QUERY in asked.must:
            assert wish.text is not None
            assert item in wish.text.items[wish.text.every_word]


def test_torn_tables_are_refused(source: BuildSource, folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    words = tmp_path / "words.offsets.npy"
    words.write_bytes(words.read_bytes()[:-8])
    with pytest.raises(SnapshotError):
        context.open_channel(tmp_path, source.catalogue, NO_INTERESTS, ContextSettings())


def test_an_item_is_found_by_its_tags_and_by_title_and_tag_together(tmp_path: Path) -> None:
    columns = empty_columns(3) | {
        "title": ["", "Brown bread", "White bread", "Brown sugar"],
        "tags": ["", "bakery|gluten-free", "bakery", ""],
    }
    columns["in_stock"][1:] = True
    write_catalogue(tmp_path / "catalogue", ["a", "b", "c"], columns, {}, {})
    source = make_source(Catalogue.open(tmp_path / "catalogue"), [], [{}])
    (tmp_path / "tables").mkdir()
    context.build(source, tmp_path / "tables", ContextSettings())
    channel = context.open_channel(tmp_path / "tables", source.catalogue, NO_INTERESTS, ContextSettings())
    assert sorted(recalled(channel, search_query="bakery")) == [1, 2]
    assert recalled(channel, search_query="gluten free") == [1]
    assert recalled(channel, search_query="white bakery")[0] == 2


def test_a_catalogue_without_texts_has_an_empty_index(tmp_path: Path) -> None:
    write_catalogue(tmp_path / "catalogue", ["a"], empty_columns(1), {}, {})
    catalogue = Catalogue.open(tmp_path / "catalogue")
    (tmp_path / "tables").mkdir()
    context.build(make_source(catalogue, []), tmp_path / "tables", ContextSettings())
    opened = context.open_channel(tmp_path / "tables", catalogue, NO_INTERESTS, ContextSettings())
    assert recalled(opened, search_query="anything") == []


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (Asked(search_query="x" * 257), "search_query"),
        (Asked(category="x" * 257), "category"),
        (Asked(brand="x" * 257), "brand"),
        (Asked(price_minimum=float("nan")), "price.minimum"),
        (Asked(price_minimum=-1.0), "price.minimum"),
        (Asked(price_maximum=float("inf")), "price.maximum"),
        (Asked(price_minimum=2.0, price_maximum=1.0), "price"),
        (Asked(search_query="  ", must=frozenset({Facet.QUERY})), "must"),
        (Asked(must=frozenset({Facet.PRICE})), "must"),
    ],
)
def test_what_is_wrong_is_named_by_field(asked: Asked, field: str) -> None:
    assert [path for path, _ in asked.faults()] == [field]
