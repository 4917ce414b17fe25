"""What items are, as codes of vectors that they share: values of columns, words of titles. Offline only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recall.search.words import terms_of
from snapshot.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class ItemParts:
    """Codes by item.

    names    of the columns
    columns  int32[N + 1, columns], 0 = the item has no value
    sizes    codes of each column, 0 among them
    words    int32[N + 1, most], codes of the first words of its title, 0 = no more
    vocabulary  codes of words, 0 among them
    """

    names: tuple[str, ...]
    columns: NDArray[np.int32]
    sizes: tuple[int, ...]
    words: NDArray[np.int32]
    vocabulary: int

    @classmethod
    def of(cls, catalogue: Catalogue, columns: Sequence[str], words: int, word_items: int) -> ItemParts:
        """Those of a catalogue; a column in which no item has a value is left out.

        words: of a title, at most; word_items: items that have a word at least, for it to have a code.
        """
        used = [name for name in columns if np.any(catalogue.column(name))]
        codes = np.zeros((catalogue.size + 1, len(used)), np.int32)
        for place, name in enumerate(used):
            codes[:, place] = catalogue.column(name)
        sizes = tuple(int(codes[:, place].max()) + 1 for place in range(len(used)))
        spelled, vocabulary = _words(catalogue, words, word_items)
        return cls(tuple(used), codes, sizes, spelled, vocabulary)

    @property
    def known(self) -> NDArray[np.bool_]:
        """bool[N + 1], items of which anything is known."""
        return np.asarray(np.any(self.columns > 0, axis=1) | np.any(self.words > 0, axis=1))


def _words(catalogue: Catalogue, most: int, word_items: int) -> tuple[NDArray[np.int32], int]:
    """Codes int32[N + 1, most] of each title's first distinct words that enough items have; their number."""
    codes = np.zeros((catalogue.size + 1, most), np.int32)
    if not most:
        return codes, 1
    titles = [
        list(dict.fromkeys(terms_of(title)))
        for title in catalogue.texts("title", np.arange(1, catalogue.size + 1))
    ]
    counts = Counter(word for title in titles for word in title)
    enough = sorted(word for word, items in counts.items() if items >= word_items)
    code_of = {word: code for code, word in enumerate(enough, start=1)}
    for item, title in enumerate(titles, start=1):
        known = [code_of[word] for word in title if word in code_of][:most]
        codes[item, : len(known)] = known
    return codes, len(enough) + 1
