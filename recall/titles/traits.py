"""What a tagger sees of a piece of a title: itself, its word, its form and its neighbours, as codes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recall.titles.segmentation import word_places

PIECE, WORD, PLACE, FORM = range(4)
"""Of a piece: itself, the word that holds it (of a word its last letters), its place in it, its form."""

Template = tuple[tuple[int, int], ...]
"""Traits of pieces at distances, read together: ((PIECE, -1), (PIECE, 0)) = a piece and the one before it."""

OWN: tuple[Template, ...] = (
    ((PIECE, 0),),
    ((PIECE, 0), (PIECE, 1)),
    ((WORD, 0),),
    ((PLACE, 0),),
    ((FORM, 0),),
)
"""What a network over the whole title is given of each piece."""

WINDOW: tuple[Template, ...] = (
    *(((PIECE, at),) for at in (-2, -1, 0, 1, 2)),
    *(((PIECE, at), (PIECE, at + 1)) for at in (-2, -1, 0, 1)),
    *(((PIECE, at), (PIECE, at + 1), (PIECE, at + 2)) for at in (-2, -1, 0)),
    *(((WORD, at),) for at in (-2, -1, 0, 1, 2)),
    ((WORD, 0), (PLACE, 0)),
    ((PLACE, -1), (PLACE, 0), (PLACE, 1)),
    ((FORM, -1), (FORM, 0), (FORM, 1)),
)
"""What a model without memory is given: the piece and those around it."""

_APART = "\x1f"


def _form(piece: str) -> str:
    if piece.isdigit():
        return "9"
    if not piece[:1].isalpha():
        return "."
    if not piece.isascii():
        return "x"
    return "A" if piece.isupper() else "Aa" if piece[:1].isupper() else "a"


def traits_of(pieces: Sequence[str], by_characters: bool) -> list[tuple[str, str, str, str]]:
    """The four traits of each piece. Raises ValueError where characters need jieba and it is missing."""
    lower = [piece.lower() for piece in pieces]
    if by_characters:
        words, places = word_places(lower)
    else:
        words, places = [piece[-3:] for piece in lower], ["S"] * len(lower)
    return list(zip(lower, words, places, map(_form, pieces), strict=True))


def _values(traits: Sequence[tuple[str, str, str, str]], template: Template) -> list[str]:
    """The template's value at each piece; what lies outside of the title is empty."""
    count = len(traits)
    return [
        _APART.join(traits[at + far][trait] if 0 <= at + far < count else "" for trait, far in template)
        for at in range(count)
    ]


@dataclass(frozen=True)
class TraitCodes:
    """Codes of the values of templates; 0 = a value that was too seldom when they were made."""

    templates: tuple[Template, ...]
    codes: tuple[dict[str, int], ...]
    by_characters: bool

    @classmethod
    def of(
        cls, titles: Sequence[Sequence[str]], templates: Sequence[Template], by_characters: bool, least: int
    ) -> TraitCodes:
        """Of the values that so many pieces of the titles have at least."""
        counts: list[Counter[str]] = [Counter() for _ in templates]
        for title in titles:
            traits = traits_of(title, by_characters)
            for count, template in zip(counts, templates, strict=True):
                count.update(_values(traits, template))
        kept = (sorted(value for value, times in count.items() if times >= least) for count in counts)
        codes = tuple({value: code for code, value in enumerate(values, start=1)} for values in kept)
        return cls(tuple(templates), codes, by_characters)

    @property
    def sizes(self) -> list[int]:
        """Codes of each template, 0 among them."""
        return [len(codes) + 1 for codes in self.codes]

    def encode(self, pieces: Sequence[str]) -> NDArray[np.int64]:
        """int64[pieces, templates]."""
        traits = traits_of(pieces, self.by_characters)
        columns = [
            [codes.get(value, 0) for value in _values(traits, template)]
            for template, codes in zip(self.templates, self.codes, strict=True)
        ]
        return np.array(columns, np.int64).reshape(len(self.templates), len(pieces)).T
