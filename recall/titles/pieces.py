"""Pieces of titles that a tagger tags: characters of Chinese and Japanese titles, words and signs of others.

Pieces are never longer than the tokens that a shop tagged: each token is split into its pieces, and its tag
holds for all of them. So every point that a shop tagged is a run of pieces.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from features.title_tags import BEGINS, CONTINUES

Split = Callable[[str], list[str]]

MAX_PIECES = 200
"""Of a title that are tagged; further ones are not looked at."""
_WORDS = re.compile(r"\w+|[^\w\s]")


def characters(title: str) -> list[str]:
    """Each character that is not white space."""
    return [character for character in title if not character.isspace()]


def words(title: str) -> list[str]:
    """Runs of letters and digits, and each other sign.

    >>> words("Men's T-shirt, 2 pcs")
    ['Men', "'", 's', 'T', '-', 'shirt', ',', '2', 'pcs']
    """
    return _WORDS.findall(title)


@dataclass(frozen=True)
class TaggedTitle:
    """Pieces of a title and a tag for each."""

    pieces: list[str]
    tags: list[str]


def by_characters(titles: Sequence[Sequence[str]]) -> bool:
    """Whether tokens of the titles are characters: more than half of them have one character."""
    lengths = [len(token) for title in titles for token in title]
    return 2 * sum(length == 1 for length in lengths) > len(lengths)


def pieces_of(tokens: Sequence[str], tags: Sequence[str], split: Split) -> TaggedTitle:
    """The tokens of a title split into pieces, at most `MAX_PIECES`, each with the tag of its token.

    >>> pieces_of(["T-shirt", "red"], ["B-product", "B-colour"], words).tags
    ['B-product', 'I-product', 'I-product', 'B-colour']
    """
    pieces: list[str] = []
    spread: list[str] = []
    for token, tag in zip(tokens, tags, strict=True):
        parts = split(token)
        further = CONTINUES + tag[2:] if tag.startswith(BEGINS) else tag
        pieces += parts
        spread += [tag, *[further] * (len(parts) - 1)][: len(parts)]
    return TaggedTitle(pieces[:MAX_PIECES], spread[:MAX_PIECES])
