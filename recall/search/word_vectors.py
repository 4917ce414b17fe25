"""Vectors of search words in the space of the items: what a word means by what is taken because of it.

They are learned by `recall.search.word_vectors_build`. Let X, float[n, D], be vectors of items and A,
float[n, V], the words by which people looked for them: tf-idf of the terms of a search or, in a shop without
searches, of a title, each row of length 1. The vectors W of words are those whose sums come nearest to the
items (ridge regression):

    W = argmin Σ_n weight_n ‖A_n W − (X_n − x̄)‖² + λ‖W‖²

so a word that is met with everything gets a short vector, and words by which the same items are found get
near ones though no text has both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recall.search.words import terms_of
from recall.unit_rows import unit_rows
from snapshot.columns import load_column, save_column
from snapshot.manifest import SnapshotError
from snapshot.string_column import load_strings, save_strings

WORDS, RARITY, VECTORS = "intent_words", "rarity", "word_vectors"


@dataclass(frozen=True, slots=True)
class WordVectors:
    """Words by code, and their vectors.

    words    distinct, ascending
    rarity   float32[V], inverse document frequency
    vectors  float32[V, D]
    """

    words: list[str]
    rarity: NDArray[np.float32]
    vectors: NDArray[np.float32]
    _code_of: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Notes the place of each word."""
        object.__setattr__(self, "_code_of", {word: code for code, word in enumerate(self.words)})

    def of_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """float32[n, D] of length 1, zero for a text without a known word."""
        found = np.zeros((len(texts), self.vectors.shape[1]), np.float32)
        for row, text in enumerate(texts):
            codes = [self._code_of[word] for word in terms_of(text) if word in self._code_of]
            if codes:
                distinct, times = np.unique(codes, return_counts=True)
                found[row] = ((1 + np.log(times)) * self.rarity[distinct]) @ self.vectors[distinct]
        return unit_rows(found)

    def related(self, text: str, k: int) -> list[tuple[str, float]]:
        """The k words nearest to a text by cosine, best first, its own words left out."""
        (vector,) = self.of_texts([text])
        if not vector.any():
            return []
        own = set(terms_of(text))
        found = self.nearest(vector, k + len(own))
        return [each for each in found if each[0] not in own][:k]

    def nearest(self, vector: NDArray[np.float32], k: int) -> list[tuple[str, float]]:
        """The k words nearest to a vector float32[D] of the items' space by cosine above 0, best first."""
        likeness = unit_rows(self.vectors) @ unit_rows(vector[None].astype(np.float32))[0]
        best = np.argsort(-likeness, kind="stable")[:k]
        return [(self.words[code], float(likeness[code])) for code in best if likeness[code] > 0]

    def write(self, folder: Path) -> None:
        """Write `intent_words`, `rarity` and `word_vectors` into `folder`."""
        save_strings(folder, WORDS, self.words)
        save_column(folder, RARITY, self.rarity)
        save_column(folder, VECTORS, np.ascontiguousarray(self.vectors).reshape(-1))

    @classmethod
    def open(cls, folder: Path) -> WordVectors:
        """Map what `write` wrote. Raises SnapshotError where it is torn or does not fit each other."""
        found = load_strings(folder, WORDS)
        words = found.take(np.arange(len(found)))
        rarity = load_column(folder, RARITY, np.dtype(np.float32), len(words))
        flat = load_column(folder, VECTORS, np.dtype(np.float32))
        if not words or len(flat) % len(words):
            raise SnapshotError(
                folder, f"{VECTORS}.npy", f"is not of {len(words)} words", "build the folder again"
            )
        return cls(words, rarity, flat.reshape(len(words), -1))
