"""How well found points agree with tagged ones: precision, recall and F1 of whole points with their kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from features.title_tags import points_of

ALL = ""
"""The kind under which all kinds are counted together."""


@dataclass(frozen=True)
class Agreement:
    """Counts of points: tagged, found, and found as tagged in place, length and kind."""

    tagged: int
    found: int
    both: int

    @property
    def precision(self) -> float:
        """Part of the found points that are tagged so; 0 where none is found."""
        return self.both / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        """Part of the tagged points that are found; 0 where none is tagged."""
        return self.both / self.tagged if self.tagged else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of the two; 0 where nothing is tagged or found."""
        every = self.tagged + self.found
        return 2 * self.both / every if every else 0.0


def agreement(tagged: Sequence[Sequence[str]], found: Sequence[Sequence[str]]) -> Mapping[str, Agreement]:
    """Kind → counts, of tags of the same titles; `ALL` → of all kinds."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("tagged", "found", "both")}
    for truth, guess in zip(tagged, found, strict=True):
        there, here = set(points_of(truth)), set(points_of(guess))
        for name, points in (("tagged", there), ("found", here), ("both", there & here)):
            for point in points:
                counts[name].update((point.kind, ALL))
    kinds = sorted({*counts["tagged"], *counts["found"], ALL})
    return {kind: Agreement(*(counts[name][kind] for name in ("tagged", "found", "both"))) for kind in kinds}
