"""The index of words over the catalogue: which items a query finds, and how well.

score(i) ∝ ¾ · Σ over the query's words that i has of the word's best BM25 / most that an item has so
         + ¼ · BM25(i) / most that an item has

The first part, which is Lucene's factor coord with words weighted by their rarity, keeps items with all words
of the query before others; the second tells items apart that have the same words. Where no item has all
words, each counts 1 + 4 · how far it says what an item is (`NAMING_PARTS`): who finds no "almond milk" wants
milk, although almonds are rarer.

Robertson and Zaragoza, "The probabilistic relevance framework: BM25 and beyond", 2009. The part of each word
in an item's score is computed when the index is built (Lù, "BM25S", 2024), so that a query adds up the lists
of its few words.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recall.lists import ItemLists
from recall.search.compounds import halves, joined
from recall.search.spelling import Spelling
from recall.search.words import query_terms
from snapshot.columns import load_column
from snapshot.manifest import SnapshotError
from snapshot.string_column import load_strings

WORDS, LISTS = "words", "word_items"
MOST_WORDS = 16
"""Words of a query that count."""
MOST_GUESSED = 4
"""Words of a query that are completed or corrected; further ones that the catalogue lacks find nothing."""
GUESSED = 0.6
"""What a word counts that was completed or corrected, relative to one that is in the catalogue."""
COVERED = 0.75
"""Part of a score that says which of the query's words an item has."""
NAMING_PARTS = "word_naming"
"""Column float32[w]: the mean, over the items that have a word, of the part of their category that has it."""
NAMING = 4.0
"""What a word gains that all items of a category have, relative to one that no two of a category have."""
_CACHED = 4_096

_Found = tuple[NDArray[np.int32], NDArray[np.float32]]
"""Distinct items, int32[m], and what a word adds to their scores, float32[m]."""
_NOTHING: _Found = np.empty(0, np.int32), np.empty(0, np.float32)


@dataclass(frozen=True, slots=True)
class TextMatch:
    """What a query finds.

    items       int32[m], ascending, those with any of its words
    scores      float32[m], above 0 and at most 1, relative to the best item of the query
    every_word  bool[m], whether the item has all words of the query
    """

    items: NDArray[np.int32]
    scores: NDArray[np.float32]
    every_word: NDArray[np.bool_]

    def scores_of(self, items: NDArray[np.int32]) -> NDArray[np.float32]:
        """float32[n], of each of `items` int32[n]; 0 where it has none of the words."""
        if not self.items.size:
            return np.zeros(items.size, np.float32)
        at = np.minimum(np.searchsorted(self.items, items), self.items.size - 1)
        return np.where(self.items[at] == items, self.scores[at], np.float32(0))


class TextIndex:
    """The index of one snapshot."""

    def __init__(self, words: list[str], lists: ItemLists, naming: NDArray[np.float32] | None = None) -> None:
        """The index of these words.

        Args:
            words: sorted and distinct.
            lists: list r holds the items that have the r-th word, scores above 0.
            naming: `NAMING_PARTS`; None: all words count alike.
        """
        self._row = {word: row for row, word in enumerate(words)}
        self._lists = lists
        self._naming_parts = naming
        self._spelling = Spelling(words, np.diff(lists.offsets))
        self._taken_apart = lru_cache(_CACHED)(self._parts_of)

    @classmethod
    def open(cls, folder: Path) -> TextIndex:
        """Maps what `recall.search.text_index_build` wrote. Raises SnapshotError where it is torn.

        In a folder that an earlier version made all words count alike.
        """
        words = load_strings(folder, WORDS)
        known = words.take(np.arange(len(words)))
        if any(one >= other for one, other in pairwise(known)):
            raise SnapshotError(
                folder, f"{WORDS}.utf8.npy", "holds words that do not ascend", "build the folder again"
            )
        naming = None
        if (folder / f"{NAMING_PARTS}.npy").exists():
            naming = load_column(folder, NAMING_PARTS, np.dtype(np.float32), len(known))
        return cls(known, ItemLists.open(folder, LISTS, len(known)), naming)

    def match(self, query: str) -> TextMatch:
        """What the first `MOST_WORDS` words of the query find.

        Two words that the catalogue has as one ("tooth brush") are both found by it. A word that it has more
        often as two ("icecream") is found by these. Another one that it lacks counts as the words that it
        begins, or else for those that it is surely a slip for; an item's best one counts. One that may be a
        slip finds what another word of the query finds too.
        """
        asked = query_terms(query)[:MOST_WORDS]
        strange = [word for word in asked if word not in self._row]
        alone = len(asked) == 1
        found = [self._word(word, word in strange[:MOST_GUESSED], alone) for word in asked]
        for at, compound in joined(asked):
            if compound in self._row:
                whole = self._lists.gather(np.array([self._row[compound]]))[:2]
                found[at : at + 2] = [_best(each, whole) for each in found[at : at + 2]]
        found = self._confirmed(asked, strange[:MOST_GUESSED], found)
        items = np.concatenate([each[0] for each in found]) if found else np.empty(0, np.int32)
        if not items.size:
            return TextMatch(items, np.empty(0, np.float32), np.empty(0, np.bool_))
        distinct, row = np.unique(items, return_inverse=True)
        words = np.bincount(row)
        if words.max() < len(asked):
            found = [(each[0], each[1] * self._naming(word)) for word, each in zip(asked, found, strict=True)]
        total = np.bincount(row, weights=np.concatenate([each[1] for each in found]))
        weights = [each[1].max(initial=0) for each in found]
        covered = np.bincount(row, weights=np.repeat(weights, [each[0].size for each in found]))
        score = (1 - COVERED) * total / total.max() + COVERED * covered / covered.max()
        # A word that counts as none is one that no item has.
        return TextMatch(distinct, (score / score.max()).astype(np.float32), words == len(asked))

    def _word(self, word: str, guessed: bool, alone: bool) -> _Found:
        """What the word finds.

        guessed: whether one that the catalogue lacks may stand for others; alone: whether it is the query.
        """
        row = self._row.get(word)
        if row is not None:
            own = self._lists.gather(np.array([row]))[:2]
            apart = self._apart(word)
            return _best(own, apart) if apart[0].size else own
        apart = self._apart(word)
        if apart[0].size or not guessed:
            return apart
        return self._guessed(self._spelling.meant(word, alone))

    def _confirmed(self, asked: list[str], strange: list[str], found: list[_Found]) -> list[_Found]:
        """With what words that found nothing may stand for, of the items that other words found."""
        if all(each[0].size for each in found):
            return found
        others = np.concatenate([each[0] for each in found])
        if not others.size:
            return found
        made = list(found)
        for at, (word, each) in enumerate(zip(asked, found, strict=True)):
            if not each[0].size and word in strange:
                items, scores = self._guessed(self._spelling.near(word))
                both = np.isin(items, others)
                made[at] = items[both], scores[both]
        return made

    def _guessed(self, rows: tuple[int, ...]) -> _Found:
        """What the words of these rows find, as a word that stands for them."""
        items, scores, _ = self._lists.gather(np.array(rows, np.int64))
        return _best((items, scores * np.float32(GUESSED)), _NOTHING)

    def _naming(self, word: str) -> float:
        """What the word counts where no item has all words."""
        if self._naming_parts is None:
            return 1.0
        row = self._row.get(word)
        rows = self._spelling.meant(word, False) if row is None else (row,)
        return 1 + NAMING * float(self._naming_parts[list(rows)].max(initial=0))

    def _apart(self, word: str) -> _Found:
        """Items with both parts of the word, and the sum of their scores, where the catalogue has it so."""
        rows = self._taken_apart(word)
        if rows is None:
            return _NOTHING
        both, left, right = self._having_both(rows)
        return both, left + right

    def _parts_of(self, word: str) -> tuple[int, int] | None:
        """The rows of its parts where most items have both; None unless these are more than have the word."""
        own = self._row.get(word)
        most = 0 if own is None else int(self._lists.lengths(np.array([own]))[0])
        best = None
        for first, last in halves(word):
            if first == last or first not in self._row or last not in self._row:
                continue
            rows = self._row[first], self._row[last]
            if self._lists.lengths(np.array(rows)).min() > most:
                both = self._having_both(rows)[0].size
                if both > most:
                    best, most = rows, both
        return best

    def _having_both(
        self, rows: tuple[int, int]
    ) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]:
        """Items of both rows, int32[m], ascending, and their scores in each, float32[m]."""
        (items, scores), (others, added) = (self._lists.gather(np.array([row]))[:2] for row in rows)
        both, left, right = np.intersect1d(items, others, assume_unique=True, return_indices=True)
        return both, scores[left], added[right]


def _best(one: _Found, other: _Found) -> _Found:
    """The items of both, each with its best score; an item may be several times in either."""
    items, scores = np.concatenate((one[0], other[0])), np.concatenate((one[1], other[1]))
    order = np.lexsort((-scores, items))
    items, scores = items[order], scores[order]
    first = np.r_[True, items[1:] != items[:-1]] if items.size else np.empty(0, np.bool_)
    return items[first], scores[first]
