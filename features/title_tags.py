"""Tags of a title's tokens: B-x begins a point of kind x, I-x continues it, O is none (Ramshaw, Marcus 1995).

A *point* is a run of tokens with one kind: "pure cotton", material. The two forms, tags and points, hold the
same where points do not overlap, so that each is made of the other without loss.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

OUTSIDE = "O"
BEGINS, CONTINUES = "B-", "I-"


class Point(NamedTuple):
    """Tokens first … after − 1 of a title, and their kind."""

    first: int
    after: int
    kind: str


def tag_fault(tags: Sequence[str]) -> str | None:
    """What is wrong with the tags of a title, None where nothing is.

    >>> tag_fault(["O", "I-colour"])
    'a tag I- that continues no point of its kind'
    """
    before = OUTSIDE
    for tag in tags:
        if tag != OUTSIDE and (tag[:2] not in (BEGINS, CONTINUES) or len(tag) == 2):
            return "a tag that is neither O nor B- or I- with a kind"
        if tag[:2] == CONTINUES and before[2:] != tag[2:]:
            return "a tag I- that continues no point of its kind"
        before = tag
    return None


def points_of(tags: Sequence[str]) -> list[Point]:
    """Points of tags without a fault, in their order.

    >>> points_of(["B-colour", "O", "B-material", "I-material"])
    [Point(first=0, after=1, kind='colour'), Point(first=2, after=4, kind='material')]
    """
    points: list[Point] = []
    for at, tag in enumerate(tags):
        if tag[:2] == BEGINS:
            points.append(Point(at, at + 1, tag[2:]))
        elif tag[:2] == CONTINUES:
            points[-1] = points[-1]._replace(after=at + 1)
    return points


def tags_of(points: Iterable[Point], tokens: int) -> list[str]:
    """Tags of so many tokens, from points that do not overlap."""
    tags = [OUTSIDE] * tokens
    for first, after, kind in points:
        tags[first:after] = [BEGINS + kind, *[CONTINUES + kind] * (after - first - 1)]
    return tags
