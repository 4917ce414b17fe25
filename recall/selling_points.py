"""Selling points: what in titles sells, and is the same in many of them. Offline only.

Where a shop tagged titles, they are the points that a tagger which learned these finds in all titles
(`recall.titles`). Where it did not, what recurs as a whole stands in: an n-gram of title words is a selling
point where enough items have it and its words occur together more often than apart would make likely:

    lift(a b) = n(a b) · N / (n(a) · n(b))

over the N titles, n counting titles, and for three words by its first two and its last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Gram = tuple[str, ...]


def selling_points(titles: Sequence[Sequence[str]], items: int, lift: float) -> dict[Gram, float]:
    """Selling points of titles and their lift.

    Args:
        titles: the words of each title, in its order.
        items: titles that have it at least.
        lift: the least.

    Returns:
        Two or three words → lift.
    """
    words = Counter(word for title in titles for word in set(title))
    pairs = Counter(pair for title in titles for pair in set(pairwise(title)))
    triples = Counter(
        triple for title in titles for triple in set(zip(title, title[1:], title[2:], strict=False))
    )
    count = len(titles)
    found: dict[Gram, float] = {}
    for pair, together in pairs.items():
        if together >= items:
            found[pair] = together * count / (words[pair[0]] * words[pair[1]])
    for triple, together in triples.items():
        if together >= items:
            found[triple] = together * count / (pairs[triple[:2]] * words[triple[2]])
    return {gram: value for gram, value in found.items() if value >= lift}


def point_codes(
    titles: Sequence[Sequence[str]], items: int, lift: float, most: int
) -> tuple[NDArray[np.int32], int]:
    """Codes int32[titles, most] of each title's selling points, those of the largest lift first, 0 = no more.

    Args:
        titles: the words of each title, in its order.
        items: titles that have a selling point at least.
        lift: the least of one.
        most: of one title.

    Returns:
        The codes, and how many there are, 0 among them.
    """
    points = selling_points(titles, items, lift)
    grams = [{*pairwise(title), *zip(title, title[1:], title[2:], strict=False)} for title in titles]
    return _codes(grams, points, most)


def found_point_codes(
    titles: Sequence[Sequence[Gram]], items: int, most: int
) -> tuple[NDArray[np.int32], int]:
    """Codes int32[titles, most] of points that a tagger found, those of the fewest titles first, 0 = no more.

    Args:
        titles: of each, its points, as kind and text.
        items: titles that have a point at least, for it to have a code.
        most: of one title.

    Returns:
        The codes, and how many there are, 0 among them.
    """
    have = Counter(point for title in titles for point in set(title))
    points = {point: 1 / count for point, count in have.items() if count >= items}
    return _codes([set(title) for title in titles], points, most)


def _codes(
    titles: Sequence[AbstractSet[Gram]], points: Mapping[Gram, float], most: int
) -> tuple[NDArray[np.int32], int]:
    """Codes of each title's points, those of the largest value first."""
    code_of = {point: code for code, point in enumerate(sorted(points), start=1)}
    codes = np.zeros((len(titles), most), np.int32)
    for row, title in enumerate(titles):
        best = sorted(title & points.keys(), key=lambda point: (-points[point], point))[:most]
        codes[row, : len(best)] = [code_of[point] for point in best]
    return codes, len(points) + 1
