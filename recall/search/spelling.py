"""The words of a vocabulary that a misspelt or unfinished word may stand for."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

SHORTEST_CORRECTED = 4
SHORTEST_TWICE_WRONG = 8
"""Shorter words may differ by one edit, longer ones by two."""
SHORTEST_PREFIX = 3
MOST_COMPARED = 32
"""Words whose distance is computed, those with the most characters in common."""
MOST_MEANT = 5
"""Words that one word may stand for, the most frequent."""
_CACHED = 4_096


class Spelling:
    """Finds words of one vocabulary."""

    def __init__(self, words: Sequence[str], counts: NDArray[np.integer]) -> None:
        """`words`: sorted, distinct; `counts` integer[w]: items that have each."""
        self._words = words
        self._counts = counts
        self._signatures = np.fromiter(map(signature, words), np.uint64, len(words))
        self._lengths = np.fromiter(map(len, words), np.int32, len(words))
        self.meant = lru_cache(_CACHED)(self._meant)

    def _meant(self, word: str) -> tuple[int, ...]:
        """Positions of at most `MOST_MEANT` words that `word`, which is none of them, may stand for.

        Words that it begins; else those within one edit (a character more, less, another, or two exchanged),
        or two of a long word, the fewest edits alone. The most frequent first.
        """
        begun = self._begun_by(word)
        return begun or self._near(word)

    def _begun_by(self, word: str) -> tuple[int, ...]:
        if len(word) < SHORTEST_PREFIX:
            return ()
        first = bisect_left(self._words, word)
        last = bisect_left(self._words, word + "\U0010ffff")
        order = np.argsort(-self._counts[first:last], kind="stable")[:MOST_MEANT]
        return tuple((first + order).tolist())

    def _near(self, word: str) -> tuple[int, ...]:
        if len(word) < SHORTEST_CORRECTED:
            return ()
        edits = 2 if len(word) >= SHORTEST_TWICE_WRONG else 1
        apart = np.bitwise_count(self._signatures ^ np.uint64(signature(word)))
        # An edit changes at most two characters of the set: one leaves, one comes.
        possible = np.flatnonzero((apart <= 2 * edits) & (np.abs(self._lengths - len(word)) <= edits))
        nearest = possible[np.lexsort((-self._counts[possible], apart[possible]))[:MOST_COMPARED]]
        distances = [edit_distance(word, self._words[at], edits) for at in nearest.tolist()]
        least = min(distances, default=edits + 1)
        if least > edits:
            return ()
        found = [at for at, distance in zip(nearest.tolist(), distances, strict=True) if distance == least]
        return tuple(sorted(found, key=lambda at: -int(self._counts[at]))[:MOST_MEANT])


def signature(word: str) -> int:
    """A bit of 64 for each distinct character of the word."""
    bits = 0
    for character in set(word):
        bits |= 1 << (crc32(character.encode("utf-8", "surrogatepass")) & 63)
    return bits


def edit_distance(one: str, other: str, most: int) -> int:
    """Optimal string alignment: insertions, deletions, substitutions, exchanges of neighbours.

    Any number above `most` where the distance is above it.

    Damerau, "A technique for computer detection and correction of spelling errors", CACM 1964.
    """
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, start=1):
        last, before, row = before, row, [i]
        for j, right in enumerate(other, start=1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (left != right))
            if i > 1 and j > 1 and left == other[j - 2] and one[i - 2] == right:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
        if min(row) > most and min(before) > most:
            return most + 1
    return row[-1]
