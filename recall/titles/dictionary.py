"""The plain peer of a learned tagger: texts that were tagged before, found again, the longest first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from features.title_tags import Point, points_of, tags_of
from recall.titles.pieces import TaggedTitle

_Text = tuple[str, ...]


@dataclass(frozen=True)
class Dictionary:
    """Kinds of texts.

    kinds    lower-case pieces of a point → its commonest kind
    longest  pieces of the longest
    """

    kinds: dict[_Text, str]
    longest: int

    @classmethod
    def learned(cls, titles: Sequence[TaggedTitle], certainty: float) -> Dictionary:
        """Texts that are tagged with their commonest kind in at least such a part of their occurrences."""
        tagged: dict[_Text, Counter[str]] = {}
        for title in titles:
            lower = _lower(title.pieces)
            for first, after, kind in points_of(title.tags):
                tagged.setdefault(lower[first:after], Counter())[kind] += 1
        longest = max(map(len, tagged), default=0)
        seen: Counter[_Text] = Counter()
        for title in titles:
            lower = _lower(title.pieces)
            spans = ((at, end) for at in range(len(lower)) for end in range(at + 1, at + longest + 1))
            seen.update(lower[at:end] for at, end in spans if end <= len(lower) and lower[at:end] in tagged)
        best = {text: kinds.most_common(1)[0] for text, kinds in tagged.items()}
        kept = {text: kind for text, (kind, times) in best.items() if times >= certainty * seen[text]}
        return cls(kept, max(map(len, kept), default=0))

    def tag(self, titles: Sequence[Sequence[str]]) -> list[list[str]]:
        """A tag for each piece of each title."""
        return [tags_of(self._points(_lower(pieces)), len(pieces)) for pieces in titles]

    def _points(self, pieces: _Text) -> list[Point]:
        points, at = [], 0
        while at < len(pieces):
            for end in range(min(at + self.longest, len(pieces)), at, -1):
                kind = self.kinds.get(pieces[at:end])
                if kind is not None:
                    points.append(Point(at, end, kind))
                    at = end - 1
                    break
            at += 1
        return points


def _lower(pieces: Sequence[str]) -> _Text:
    return tuple(piece.lower() for piece in pieces)
