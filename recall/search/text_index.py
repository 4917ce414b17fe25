"""The index of words over the catalogue: which items a query finds, and how well, by BM25.

Robertson and Zaragoza, "The probabilistic relevance framework: BM25 and beyond", 2009. The part of each word
in an item's score is computed when the index is built (Lù, "BM25S", 2024), so that a query adds up the lists
of its few words.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recall.lists import ItemLists
from recall.search.spelling import Spelling
from recall.search.words import query_terms
from snapshot.manifest import SnapshotError
from snapshot.string_column import load_strings

WORDS, LISTS = "words", "word_items"
MOST_WORDS = 16
"""Words of a query that count."""
MOST_GUESSED = 4
"""Words of a query that are completed or corrected; further ones that the catalogue lacks find nothing."""
GUESSED = 0.6
"""What a word counts that was completed or corrected, relative to one that is in the catalogue."""


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

    def __init__(self, words: list[str], lists: ItemLists) -> None:
        """`words`: sorted and distinct; list r holds the items that have the r-th word, scores above 0."""
        self._row = {word: row for row, word in enumerate(words)}
        self._lists = lists
        self._spelling = Spelling(words, np.diff(lists.offsets))

    @classmethod
    def open(cls, folder: Path) -> TextIndex:
        """Maps what `recall.search.text_index_build` wrote. Raises SnapshotError where it is torn."""
        words = load_strings(folder, WORDS)
        known = words.take(np.arange(len(words)))
        if any(one >= other for one, other in pairwise(known)):
            raise SnapshotError(
                folder, f"{WORDS}.utf8.npy", "holds words that do not ascend", "build the folder again"
            )
        return cls(known, ItemLists.open(folder, LISTS, len(known)))

    def match(self, query: str) -> TextMatch:
        """What the first `MOST_WORDS` words of the query find.

        A word that the catalogue lacks counts as the words that it begins, or else for those that are
        spelt nearly so; an item's best one counts.
        """
        asked = query_terms(query)[:MOST_WORDS]
        strange = [word for word in asked if word not in self._row]
        found = [self._word(word, word in strange[:MOST_GUESSED]) for word in asked]
        items = np.concatenate([each[0] for each in found]) if found else np.empty(0, np.int32)
        if not items.size:
            return TextMatch(items, np.empty(0, np.float32), np.empty(0, np.bool_))
        scores = np.concatenate([each[1] for each in found])
        distinct, row = np.unique(items, return_inverse=True)
        total = np.bincount(row, weights=scores)
        words = np.bincount(row)
        # A word that counts as none is one that no item has.
        return TextMatch(distinct, (total / total.max()).astype(np.float32), words == len(asked))

    def _word(self, word: str, guessed: bool) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Distinct items that have the word, int32[m], and what it adds to their scores, float32[m].

        guessed: whether it may stand for other words.
        """
        row = self._row.get(word)
        if row is not None:
            items, scores, _ = self._lists.gather(np.array([row]))
            return items, scores
        meant = np.array(self._spelling.meant(word) if guessed else (), np.int64)
        items, scores, _ = self._lists.gather(meant)
        order = np.lexsort((-scores, items))
        items, scores = items[order], scores[order]
        first = np.r_[True, items[1:] != items[:-1]] if items.size else np.empty(0, np.bool_)
        return items[first], scores[first] * np.float32(GUESSED)
