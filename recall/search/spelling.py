"""The words of a vocabulary that a misspelt or unfinished word may stand for."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

SHORTEST_CORRECTED = 4
"""Shorter words are not corrected."""
SHORTEST_LEFT_OUT = 5
SHORTEST_LEFT_OUT_ALONE = 4
SHORTEST_CHANGED = 6
SHORTEST_TWICE_WRONG = 9
SHORTEST_TWICE_WRONG_CONFIRMED = 8
"""Characters from which a word is corrected by so much: one letter left out, or that where the word is the
whole query; any one edit; two edits, or those where the rest of the query agrees."""
SHORTEST_PREFIX = 3
MOST_COMPARED = 32
"""Words whose distance is computed, those with the most characters in common."""
MOST_MEANT = 5
"""Words that one word may stand for, the most frequent."""
_CACHED = 4_096


class Spelling:
    """Finds words of one vocabulary.

    Most short words that a catalogue lacks are no slips but words for what it does not sell, and most of
    these have a neighbour in it ("coke", "cake"): the shorter a word, the fewer edits it is corrected by.
    """

    def __init__(self, words: Sequence[str], counts: NDArray[np.integer]) -> None:
        """`words`: sorted, distinct; `counts` integer[w]: items that have each."""
        self._words = words
        self._counts = counts
        self._signatures = np.fromiter(map(signature, words), np.uint64, len(words))
        self._lengths = np.fromiter(map(len, words), np.int32, len(words))
        self.meant = lru_cache(_CACHED)(self._meant)
        self.near = lru_cache(_CACHED)(self._near)

    def _meant(self, word: str, alone: bool) -> tuple[int, ...]:
        """Positions of at most `MOST_MEANT` words that `word`, which is none of them, surely stands for.

        Words that it begins; else those that begin with the same letter, of the fewest edits (a character
        more, less, another, or two exchanged): by one edit from 6 characters on; with fewer only by an
        exchange, a letter doubled or not, or one left out, this with 4 only where it is the whole query
        (`alone`); by two from 9 on. The most frequent first.
        """
        begun = self._begun_by(word)
        if begun:
            return begun
        edits = 2 if len(word) >= SHORTEST_TWICE_WRONG else 1
        left_out = SHORTEST_LEFT_OUT_ALONE if alone else SHORTEST_LEFT_OUT
        return self._nearest(
            [found for found in self._within(word, edits) if self._is_slip(word, found[0], left_out)]
        )

    def _near(self, word: str) -> tuple[int, ...]:
        """The same of words that it may stand for where the rest of a query agrees.

        Any within one edit, or two from 8 characters on.
        """
        edits = 2 if len(word) >= SHORTEST_TWICE_WRONG_CONFIRMED else 1
        return self._nearest(self._within(word, edits))

    def _begun_by(self, word: str) -> tuple[int, ...]:
        if len(word) < SHORTEST_PREFIX:
            return ()
        first = bisect_left(self._words, word)
        last = bisect_left(self._words, word + "\U0010ffff")
        order = np.argsort(-self._counts[first:last], kind="stable")[:MOST_MEANT]
        return tuple((first + order).tolist())

    def _within(self, word: str, edits: int) -> list[tuple[int, int]]:
        """(position, edits) of words within so many edits."""
        if len(word) < SHORTEST_CORRECTED:
            return []
        apart = np.bitwise_count(self._signatures ^ np.uint64(signature(word)))
        # An edit changes at most two characters of the set: one leaves, one comes.
        possible = np.flatnonzero((apart <= 2 * edits) & (np.abs(self._lengths - len(word)) <= edits))
        nearest = possible[np.lexsort((-self._counts[possible], apart[possible]))[:MOST_COMPARED]]
        distances = [(at, edit_distance(word, self._words[at], edits)) for at in nearest.tolist()]
        return [(at, distance) for at, distance in distances if distance <= edits]

    def _is_slip(self, word: str, at: int, left_out: int) -> bool:
        """Whether the edits that lead to the word at `at` are likely ones for a word of this length.

        left_out: characters from which one may be left out.
        """
        meant = self._words[at]
        if word[0] != meant[0]:
            return False
        if len(word) >= SHORTEST_CHANGED or sorted(word) == sorted(meant):
            return True
        if _undoubled(word) == _undoubled(meant):
            return True
        return len(word) >= left_out and len(meant) > len(word)

    def _nearest(self, found: list[tuple[int, int]]) -> tuple[int, ...]:
        """Positions of the fewest edits, the most frequent first."""
        least = min((edits for _, edits in found), default=0)
        nearest = [at for at, edits in found if edits == least]
        return tuple(sorted(nearest, key=lambda at: -int(self._counts[at]))[:MOST_MEANT])


def _undoubled(word: str) -> str:
    """The word with each run of one character as a single one."""
    return "".join(character for character, _ in groupby(word))


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
