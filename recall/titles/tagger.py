"""From titles that a shop tagged to a tagger of all its titles, measured on some that it did not learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from features.title_tags import points_of
from recall.titles.agreement import Agreement, agreement
from recall.titles.dictionary import Dictionary
from recall.titles.pieces import MAX_PIECES, Split, TaggedTitle, by_characters, characters, pieces_of, words
from recall.titles.settings import TitleTaggerSettings

if TYPE_CHECKING:
    import polars as pl


class Tagger(Protocol):
    """Tags titles."""

    def tag(self, titles: Sequence[Sequence[str]]) -> list[list[str]]:
        """A tag for each piece of each title."""
        ...


@dataclass(frozen=True)
class TitleTagger:
    """A tagger with its way to split titles, and how it fared on titles held out: kind → counts."""

    tagger: Tagger
    split: Split
    learned: int
    held_out: int
    agreement: Mapping[str, Agreement]

    def points(self, titles: Sequence[str]) -> list[list[tuple[str, str]]]:
        """Of each title the kinds and lower-case texts of its points, in their order."""
        pieces = [self.split(title)[:MAX_PIECES] for title in titles]
        between = "" if self.split is characters else " "
        return [
            [(kind, between.join(parts[first:after]).lower()) for first, after, kind in points_of(tags)]
            for parts, tags in zip(pieces, self.tagger.tag(pieces), strict=True)
        ]


def learn_tagger(tagged: pl.DataFrame, settings: TitleTaggerSettings, seed: int) -> TitleTagger:
    """A tagger of tagged titles (`snapshot.dataset.Dataset.tagged_titles`), two at least.

    Titles that are held out are measured on and not learned: those that the shop said, else some drawn by
    seed. Raises ValueError where Chinese titles need jieba and it is missing.
    """
    tokens = tagged["tokens"].to_list()
    split: Split = characters if by_characters(tokens) else words
    titles = [pieces_of(*row, split) for row in zip(tokens, tagged["tags"].to_list(), strict=True)]
    held_out = _held_out(tagged, settings, seed)
    learned = [title for title, out in zip(titles, held_out, strict=True) if not out]
    measured = [title for title, out in zip(titles, held_out, strict=True) if out]
    tagger = _made(learned, split is characters, settings, seed)
    found = tagger.tag([title.pieces for title in measured])
    return TitleTagger(
        tagger, split, len(learned), len(measured), agreement([title.tags for title in measured], found)
    )


def _held_out(tagged: pl.DataFrame, settings: TitleTaggerSettings, seed: int) -> list[bool]:
    if "held_out" in tagged.columns and 0 < tagged["held_out"].sum() < tagged.height:
        said: list[bool] = tagged["held_out"].to_list()
        return said
    out = np.zeros(tagged.height, np.bool_)
    count = min(max(1, round(settings.held_out * tagged.height)), tagged.height - 1)
    out[np.random.default_rng(seed).permutation(tagged.height)[:count]] = True
    drawn: list[bool] = out.tolist()
    return drawn


def _made(
    titles: Sequence[TaggedTitle], by_character: bool, settings: TitleTaggerSettings, seed: int
) -> Tagger:
    if settings.form == "dictionary":
        return Dictionary.learned(titles, settings.certainty)
    from recall.titles.sequence_tagger import trained

    return trained(titles, by_character, settings, seed)
