"""Taggers of titles: how titles are split, what a dictionary finds, and that a rule of context is learned."""

from __future__ import annotations

import sys

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.title_tags import points_of, tag_fault, tags_of
from recall.titles.agreement import ALL, Agreement, agreement
from recall.titles.dictionary import Dictionary
from recall.titles.pieces import TaggedTitle, characters, pieces_of, words
from recall.titles.segmentation import word_places
from recall.titles.settings import TitleTaggerSettings
from recall.titles.tagger import learn_tagger
from recall.titles.traits import OWN, WINDOW, TraitCodes

TOKENS = st.lists(st.text("aZ9é棉-' ", min_size=1, max_size=4).filter(lambda text: text.strip()), max_size=6)


@settings(max_examples=60)
@given(TOKENS, st.randoms(use_true_random=False), st.sampled_from([words, characters]))
def test_points_hold_the_same_text_in_pieces(tokens, random, split) -> None:  # type: ignore[no-untyped-def]
    tags, before = [], "O"
    for _ in tokens:
        choices = ["O", "B-a", "B-b", *([] if before == "O" else [f"I-{before[2:]}"])]
        before = random.choice(choices)
        tags.append(before)
    title = pieces_of(tokens, tags, split)
    assert tag_fault(title.tags) is None
    assert title.pieces == split(" ".join(tokens))
    whole = [(kind, "".join(tokens[first:after])) for first, after, kind in points_of(tags)]
    parts = [(kind, "".join(title.pieces[first:after])) for first, after, kind in points_of(title.tags)]
    assert parts == [(kind, "".join(text.split())) for kind, text in whole]


def test_a_dictionary_finds_the_longest_text_that_is_mostly_tagged() -> None:
    learned = [
        TaggedTitle(["Red", "wine", "glass"], ["B-product", "I-product", "I-product"]),
        TaggedTitle(["red", "glass"], ["B-colour", "B-product"]),
        TaggedTitle(["glass", "glass", "glass"], ["O", "O", "O"]),
    ]
    dictionary = Dictionary.learned(learned, 0.3)
    assert dictionary.kinds == {("red", "wine", "glass"): "product", ("red",): "colour"}
    assert dictionary.tag([["red", "red", "wine", "Glass", "red", "wine"], []]) == [
        ["B-colour", "B-product", "I-product", "I-product", "B-colour", "O"],
        [],
    ]
    assert Dictionary.learned(learned, 0.2).kinds[("glass",)] == "product"


def test_only_a_whole_point_of_the_same_kind_agrees() -> None:
    counts = agreement([["B-a", "I-a", "O"], ["B-b", "B-a", "O"]], [["B-a", "O", "O"], ["B-b", "B-b", "B-a"]])
    assert counts == {ALL: Agreement(3, 4, 1), "a": Agreement(2, 2, 0), "b": Agreement(1, 2, 1)}
    assert counts[ALL].f1 == pytest.approx(2 / 7)
    assert (Agreement(0, 0, 0).f1, Agreement(0, 0, 0).precision, Agreement(0, 0, 0).recall) == (0, 0, 0)


def test_values_that_are_seldom_have_no_code_and_what_is_outside_is_no_error() -> None:
    codes = TraitCodes.of([["red", "Red", "hat"]], OWN[:1], by_characters=False, least=2)
    assert codes.encode(["hat", "RED"]).tolist() == [[0], [1]]
    every = TraitCodes.of([["red", "hat"]], WINDOW, by_characters=False, least=1)
    assert (every.encode(["red", "hat"]) > 0).all()
    assert every.encode([]).shape == (0, len(WINDOW))


def made_up(rows: int, seed: int) -> pl.DataFrame:
    """Titles in which the word behind "of" is a material, whichever it is, and the first is a product."""
    random = np.random.default_rng(seed)
    tokens = []
    for _ in range(rows):
        name, stuff, other = (f"w{word}" for word in random.integers(0, 40, 3))
        tokens.append([name, other, "of", stuff] if random.random() < 0.5 else [name, "of", stuff, other])
    tags = [
        [
            "B-product" if at == 0 else "B-material" if title[at - 1] == "of" else "O"
            for at in range(len(title))
        ]
        for title in tokens
    ]
    return pl.DataFrame({"tokens": tokens, "tags": tags})


@pytest.mark.slow
def test_a_rule_of_context_is_learned_by_both_forms_and_not_by_a_dictionary() -> None:
    tagged = made_up(120, 0)
    quick = TitleTaggerSettings(
        epochs=6, learning_rate=0.05, title_learning_rate=0.05, hidden=8, width=8, dropout=0.0
    )
    f1 = {}
    for form in ("dictionary", "window", "title"):
        tagger = learn_tagger(tagged, quick.model_copy(update={"form": form}), 0)
        assert (tagger.learned, tagger.held_out) == (108, 12)
        f1[form] = tagger.agreement[ALL].f1
    assert f1["dictionary"] < 0.6
    assert min(f1["window"], f1["title"]) > 0.9
    again = learn_tagger(tagged, quick.model_copy(update={"form": "title"}), 0)
    titles = ["W1 of velvet w3", "", "of"]
    assert again.points(titles) == tagger.points(titles)
    assert tagger.points(titles)[:2] == [[("product", "w1"), ("material", "velvet")], []]


def test_titles_that_the_shop_holds_out_are_measured_on_and_not_learned() -> None:
    table = pl.DataFrame(
        {
            "tokens": [["red"], ["red"], ["blue"]],
            "tags": [["B-c"], ["B-c"], ["B-c"]],
            "held_out": [False, False, True],
        }
    )
    tagger = learn_tagger(table, TitleTaggerSettings(form="dictionary"), 0)
    assert (tagger.learned, tagger.held_out) == (2, 1)
    assert tagger.agreement[ALL] == Agreement(1, 0, 0)
    none = table.with_columns(held_out=pl.lit(False))
    assert learn_tagger(none, TitleTaggerSettings(form="dictionary"), 0).held_out == 1


@pytest.mark.slow
def test_the_words_of_chinese_titles_are_found() -> None:
    assert word_places("简约款童鞋") == (["简约", "简约", "款", "童鞋", "童鞋"], ["B", "E", "S", "B", "E"])
    text = "纯棉t恤\x9f9 9😀"
    found, places = word_places(text)
    assert len(found) == len(places) == len(text)
    tagged = pl.DataFrame({"tokens": [[*"纯棉童鞋"], [*"棉童鞋"]], "tags": [tags_of([], 4), tags_of([], 3)]})
    settings = TitleTaggerSettings(form="window", epochs=1)
    assert learn_tagger(tagged, settings, 0).points(["纯 棉"]) == [[]]


def test_without_jieba_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jieba", None)
    from recall.titles import segmentation

    segmentation._segmenter.cache_clear()
    with pytest.raises(ValueError, match=r"install the extra chinese \(pip install 'shopfront\[chinese\]'\)"):
        word_places("棉")
