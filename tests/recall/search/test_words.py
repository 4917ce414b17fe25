"""Words: case, accents, width, plurals, Chinese; any text at all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recall.search.spelling import Spelling, edit_distance
from recall.search.words import folded, query_terms, terms_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Dog FOODS", "dog food"),
        ("crème brûlée", "CREME BRULEE"),
        ("ｍｉｌｋ", "milk"),
        ("Straße", "STRASSE"),
        ("berries, boxes & dishes", "berry box dish"),
        ("tomatoes", "tomato"),
        ("shoes", "shoe"),
    ],
)
def test_what_does_not_count_does_not_count(one: str, other: str) -> None:
    assert query_terms(one) == query_terms(other)


def test_words_that_only_look_like_plurals_stay() -> None:
    assert query_terms("glass bus gas us") == ["glass", "bus", "gas", "us"]


def test_chinese_is_searched_by_pairs_of_characters() -> None:
    assert query_terms("牛奶巧克力 500g") == ["牛奶", "奶巧", "巧克", "克力", "500g"]
    assert query_terms("茶") == ["茶"]
    assert set(query_terms("牛奶")) | set(query_terms("奶")) <= set(terms_of("纯牛奶"))


@given(st.text(max_size=300))
def test_any_text_is_words(text: str) -> None:
    terms = query_terms(text)
    assert len(set(terms)) == len(terms)
    assert set(terms) <= set(terms_of(text))
    assert all(term and term == folded(term) for term in terms)


@given(st.text("abcd", max_size=8), st.text("abcd", max_size=8))
def test_the_edit_distance_is_a_symmetric_one(one: str, other: str) -> None:
    distance = edit_distance(one, other, 16)
    assert distance == edit_distance(other, one, 16)
    for most in range(4):
        near = edit_distance(one, other, most)
        assert near == distance or (near > most and distance > most)
    assert (distance == 0) == (one == other)
    assert abs(len(one) - len(other)) <= distance <= max(len(one), len(other))


WORDS = sorted(["beer", "bear", "chocolate", "choir", "detergent", "milk", "mill", "yoghurt"])


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("choco", {"chocolate"}),
        ("yogurt", {"yoghurt"}),
        ("mlik", {"milk"}),
        ("chocolatte", {"chocolate"}),
        ("detregnet", {"detergent"}),
        ("millk", {"milk"}),
        ("chior", {"choir"}),
        ("chor", set()),
        ("coir", set()),
        ("chir", set()),
        ("beor", set()),
        ("choer", set()),
        ("chxoir", {"choir"}),
        ("yxghurt", {"yoghurt"}),
        ("joghurt", set()),
        ("zzzz", set()),
        ("mi", set()),
    ],
)
def test_a_misspelt_or_unfinished_word_stands_for_others(typed: str, meant: set[str]) -> None:
    spelling = Spelling(WORDS, np.arange(1, len(WORDS) + 1))
    assert {WORDS[at] for at in spelling.meant(typed, False)} == meant


def test_a_letter_is_left_out_of_a_short_word_only_where_it_is_the_whole_query() -> None:
    spelling = Spelling(WORDS, np.arange(1, len(WORDS) + 1))
    assert [WORDS[at] for at in spelling.meant("coir", True)] == ["choir"]
    assert not spelling.meant("coir", False)
    assert not spelling.meant("beor", True)


@pytest.mark.parametrize(
    ("typed", "near"),
    [
        ("beor", {"beer", "bear"}),
        ("coir", {"choir"}),
        ("joghurt", {"yoghurt"}),
        ("zzzz", set()),
        ("mil", set()),
    ],
)
def test_a_short_word_may_stand_for_more_where_the_query_agrees(typed: str, near: set[str]) -> None:
    spelling = Spelling(WORDS, np.arange(1, len(WORDS) + 1))
    assert {WORDS[at] for at in spelling.near(typed)} == near


@given(st.integers(0, len(WORDS) - 1), st.integers(0, 20), st.sampled_from("aeixz"))
def test_every_word_is_found_with_one_letter_too_many(word: int, place: int, letter: str) -> None:
    typed = WORDS[word][:place] + letter + WORDS[word][place:]
    if typed not in WORDS:
        spelling = Spelling(WORDS, np.ones(len(WORDS), int))
        assert word in spelling.near(typed)
        if len(typed) >= 6 and place:
            assert word in spelling.meant(typed, False)
