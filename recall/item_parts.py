"""What items are, as codes of vectors that they share: columns, words of titles, tags. Offline only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

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
    words    int32[N + 1, most], codes of the first words of its title and of its first tags, 0 = none
    vocabulary  codes of words, 0 among them
    """

    names: tuple[str, ...]
    columns: NDArray[np.int32]
    sizes: tuple[int, ...]
    words: NDArray[np.int32]
    vocabulary: int

    @classmethod
    def of(
        cls, catalogue: Catalogue, columns: Sequence[str], words: int, tags: int, word_items: int
    ) -> ItemParts:
        """Those of a catalogue; a column in which no item has a value is left out.

        words: of a title, at most; tags: of an item, at most, a tag of one word being that word; word_items:
        items that have a word or tag at least, for it to have a code.
        """
        used = [name for name in columns if np.any(catalogue.column(name))]
        codes = np.zeros((catalogue.size + 1, len(used)), np.int32)
        for place, name in enumerate(used):
            codes[:, place] = catalogue.column(name)
        sizes = tuple(int(codes[:, place].max()) + 1 for place in range(len(used)))
        titles = _spelled(catalogue, "title", terms_of) if words else []
        tagged = _spelled(catalogue, "tags", tags_of) if tags else []
        both = zip_longest(titles, tagged, fillvalue=())
        code_of = _codes([{*title, *tags_of_item} for title, tags_of_item in both], word_items)
        spelled = np.zeros((catalogue.size + 1, words + (tags if tagged else 0)), np.int32)
        _fill(spelled[:, :words], titles, code_of)
        _fill(spelled[:, words:], tagged, code_of)
        return cls(tuple(used), codes, sizes, spelled, len(code_of) + 1)

    @property
    def known(self) -> NDArray[np.bool_]:
        """bool[N + 1], items of which anything is known."""
        return np.asarray(np.any(self.columns > 0, axis=1) | np.any(self.words > 0, axis=1))


def tags_of(text: str) -> list[str]:
    """The tags of a text, between `|`, each as the words by which it is searched, with one blank between."""
    return [tag for each in text.split("|") if (tag := " ".join(terms_of(each)))]


def _spelled(catalogue: Catalogue, column: str, words_of: Callable[[str], list[str]]) -> list[list[str]]:
    """The distinct words of each item's text; nothing where no item has any."""
    texts = catalogue.texts(column, np.arange(1, catalogue.size + 1))
    return [list(dict.fromkeys(words_of(text))) for text in texts] if any(texts) else []


def _codes(texts: Iterable[Collection[str]], least: int) -> dict[str, int]:
    """Codes 1, 2, … of the words that so many items have, in their order; texts: of distinct words each."""
    counts = Counter(word for words in texts for word in words)
    return {word: code for code, word in enumerate(sorted(w for w, n in counts.items() if n >= least), 1)}


def _fill(codes: NDArray[np.int32], texts: Sequence[Sequence[str]], code_of: Mapping[str, int]) -> None:
    """Writes into int32[N + 1, m] the first m codes of each item's words that have one."""
    for item, words in enumerate(texts, start=1):
        known = [code_of[word] for word in words if word in code_of][: codes.shape[1]]
        codes[item, : len(known)] = known
