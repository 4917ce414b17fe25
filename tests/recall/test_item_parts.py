"""What items share, as codes."""

import numpy as np

from recall.item_parts import ItemParts, tags_of
from snapshot import Catalogue, write_catalogue
from tests.snapshot.contents import columns as empty_columns

TITLES = ["", "Green tea", "Black tea", "Green mug", ""]
TAGS = ["", "Organic|gluten free", "organic | Green", "| gluten  Free|", "organic"]


def catalogue_of(folder, tags):  # type: ignore[no-untyped-def]
    columns = empty_columns(4) | {"title": TITLES}
    if tags is None:
        del columns["tags"]
    else:
        columns["tags"] = tags
    write_catalogue(folder, [f"i{item}" for item in range(1, 5)], columns, {}, {})
    return Catalogue.open(folder)


def test_a_tag_is_one_word_however_many_it_has() -> None:
    assert tags_of(" Organic|gluten-free teas||!") == ["organic", "gluten free tea"]
    assert tags_of("") == []


def test_tags_count_beside_the_words_of_titles(tmp_path) -> None:  # type: ignore[no-untyped-def]
    parts = ItemParts.of(catalogue_of(tmp_path / "tagged", TAGS), [], words=2, tags=2, word_items=2)
    # By name: gluten free, green (two items, one by its tag), organic, tea.
    assert parts.vocabulary == 5
    assert parts.words.tolist() == [
        [0, 0, 0, 0], [2, 4, 3, 1], [4, 0, 3, 2], [2, 0, 1, 0], [0, 0, 3, 0],
    ]  # fmt: skip
    assert parts.known.tolist() == [False, True, True, True, True]


def test_a_word_of_an_items_title_and_tags_is_of_one_item(tmp_path) -> None:  # type: ignore[no-untyped-def]
    tags = ["", "", "", "mug", ""]
    parts = ItemParts.of(catalogue_of(tmp_path / "tagged", tags), [], words=2, tags=1, word_items=2)
    assert parts.words[3].tolist() == [1, 0, 0]


def test_a_shop_without_tags_has_words_alone(tmp_path) -> None:  # type: ignore[no-untyped-def]
    without = ItemParts.of(catalogue_of(tmp_path / "bare", None), [], words=2, tags=8, word_items=2)
    unread = ItemParts.of(catalogue_of(tmp_path / "tagged", TAGS), [], words=2, tags=0, word_items=2)
    for parts in (without, unread):
        assert parts.words.tolist() == [[0, 0], [1, 2], [2, 0], [1, 0], [0, 0]]
        assert parts.known.tolist() == [False, True, True, True, False]
    np.testing.assert_array_equal(without.words, unread.words)
