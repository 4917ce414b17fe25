"""Builds the index of words: each item's texts, split into words, and BM25's part of each word in an item."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import bm25s
import numpy as np
from numpy.typing import NDArray

from recall.lists import ItemLists
from recall.search.text_index import LISTS, NAMING_PARTS, WORDS
from recall.search.words import terms_of
from snapshot.catalogue import Catalogue
from snapshot.columns import save_column
from snapshot.item_columns import ITEM_COLUMNS
from snapshot.string_column import save_strings

FEW = 6
"""Items of a category below which what the others have says little."""

# It logs each step at its own level, whatever the root's.
logging.getLogger("bm25s").setLevel(logging.WARNING)


def build_index(
    catalogue: Catalogue, folder: Path, weights: Mapping[str, int], other_texts: int, k1: float, b: float
) -> dict[str, int]:
    """Writes the index of all items into `folder`; returns its words and entries.

    Args:
        catalogue: whose items are searched.
        folder: that exists.
        weights: item column (a text or a group) → how often each of its words counts; 0 leaves it out.
        other_texts: the same for every registered text that `weights` does not name.
        k1: BM25's saturation of a word that an item has several times.
        b: BM25's part of the length of an item's texts, 0 to 1.
    """
    every = {name: other_texts for name, column in ITEM_COLUMNS.items() if column.kind == "text"}
    counted = {name: weight for name, weight in {**every, **weights}.items() if weight}
    vocabulary: dict[str, int] = {}
    documents: list[list[int]] = [[] for _ in range(catalogue.size)]
    for name, weight in counted.items():
        for document, terms in zip(documents, _terms_of_column(catalogue, name, vocabulary), strict=True):
            document += terms * weight
    words = sorted(vocabulary)
    lists = _scored(documents, vocabulary, k1, b) if words else None
    save_strings(folder, WORDS, words)
    if lists is None:
        lists = ItemLists(np.zeros(1, np.int64), np.empty(0, np.int32), np.empty(0, np.float32))
    else:
        lists = _in_rows(lists, np.array([vocabulary[word] for word in words]))
    save_column(folder, NAMING_PARTS, naming_parts(lists, catalogue.category))
    return {"words": len(words), "word_items": lists.write(folder, LISTS)}


def naming_parts(lists: ItemLists, category: NDArray[np.integer]) -> NDArray[np.float32]:
    """How far each word says what an item is: float32[w], 0 to 1, of lists of distinct items.

    The mean, over the items that have the word, of the part of the others of their category that have it; of
    few others less, as if there were `FEW` more without it. 0 for an item of no category.

    category: codes of items, [N + 1], 0 = none.
    """
    word = np.repeat(np.arange(lists.rows), np.diff(lists.offsets))
    size = np.bincount(category)
    pairs, having = np.unique(word * size.size + category[lists.items], return_counts=True)
    word, code = np.divmod(pairs, size.size)
    part = np.where(code > 0, (having - 1) / (size[code] - 1 + FEW), 0)
    summed = np.bincount(word, weights=having * part, minlength=lists.rows)
    return (summed / np.maximum(np.diff(lists.offsets), 1)).astype(np.float32)


def _terms_of_column(catalogue: Catalogue, name: str, vocabulary: dict[str, int]) -> list[list[int]]:
    """Codes of the terms of each item 1…N in one column; new terms are added to the vocabulary."""

    def codes(text: str) -> list[int]:
        return [vocabulary.setdefault(term, len(vocabulary)) for term in terms_of(text)]

    items = np.arange(1, catalogue.size + 1)
    if ITEM_COLUMNS[name].kind == "text":
        return [codes(text) for text in catalogue.texts(name, items)]
    named = [codes(text) for text in catalogue.names(name, np.arange(catalogue.code_count(name) + 1))]
    return [named[code] for code in catalogue.column(name)[1:].tolist()]


def _scored(documents: list[list[int]], vocabulary: dict[str, int], k1: float, b: float) -> ItemLists:
    """One list per code of the vocabulary."""
    ranker = bm25s.BM25(method="lucene", k1=k1, b=b, dtype="float32", int_dtype="int32")
    ranker.index((documents, vocabulary), show_progress=False)
    size = len(vocabulary)
    offsets = np.asarray(ranker.scores["indptr"], np.int64)[: size + 1]
    items = np.asarray(ranker.scores["indices"], np.int32)[: offsets[-1]] + np.int32(1)
    return ItemLists(offsets, items, np.asarray(ranker.scores["data"], np.float32)[: offsets[-1]])


def _in_rows(lists: ItemLists, order: np.ndarray) -> ItemLists:
    """The same lists in another order of rows."""
    items, scores, _ = lists.gather(order)
    offsets = np.zeros(order.size + 1, np.int64)
    np.cumsum(lists.lengths(order), out=offsets[1:])
    return ItemLists(offsets, items, scores)
