"""Compounds: what a query writes as two words and the catalogue as one, or the other way round."""

from __future__ import annotations

from itertools import pairwise

from recall.search.words import terms_of

SHORTEST_PART = 3
"""Characters of each part of a word that is taken apart: shorter ones are in nearly every word."""


def joined(words: list[str]) -> list[tuple[int, str]]:
    """(position of the first, both as one word), of each two that follow one another."""
    return [(at, one + other) for at, (one, other) in enumerate(pairwise(words))]


def halves(word: str) -> list[tuple[str, str]]:
    """The terms of both parts, for each place where the word can be taken apart, from its beginning."""
    places = range(SHORTEST_PART, len(word) - SHORTEST_PART + 1)
    parts = ((terms_of(word[:place]), terms_of(word[place:])) for place in places)
    return [(first[0], last[0]) for first, last in parts if len(first) == len(last) == 1]
