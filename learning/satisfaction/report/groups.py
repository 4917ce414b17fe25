"""Which groups a rating belongs to: its item and what that is, scene, arms, the shopper's segments, week."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from learning.satisfaction.report.ratings import Rated
from snapshot.catalogue import Catalogue

ALL, ITEM, SCENE, ARM, SEGMENT, WEEK = "all", "item", "scene", "arm", "segment", "week"
COLUMNS = ("shop", "brand", "category")
"""Columns of the catalogue by which ratings are grouped."""
KINDS = (ALL, WEEK, SCENE, ARM, SEGMENT, *COLUMNS, ITEM)

ItemGroups = Callable[[Sequence[str]], Mapping[str, Sequence[str]]]


@dataclass(frozen=True, slots=True, order=True)
class Group:
    """A group of ratings: its kind, one of `KINDS`, and its name; of `ALL` the name is empty."""

    kind: str
    name: str


def item_groups(catalogue: Catalogue | None) -> ItemGroups:
    """Item ids → column → the items' names in it, empty where unknown; None: no catalogue is there."""
    if catalogue is None:
        return lambda item_ids: {column: [""] * len(item_ids) for column in COLUMNS}

    def look(item_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
        dense = catalogue.dense(item_ids)
        return {column: catalogue.display(column, dense) for column in COLUMNS}

    return look


def groups_of(
    rated: Rated, columns_of: Mapping[str, Mapping[str, str]], segments: Mapping[str, Mapping[str, str]]
) -> set[Group]:
    """The groups of one rating.

    Args:
        rated: the rating.
        columns_of: item id → column → its name in it.
        segments: shopper → field of the profile → value.
    """
    return set(_groups(rated, columns_of, segments))


def week_of(at_ms: int) -> str:
    """The ISO 8601 week of a unix millisecond, in UTC.

    Example:
        >>> week_of(1_795_910_400_000)
        '2026-W48'
    """
    year, week, _ = datetime.fromtimestamp(at_ms / 1_000, UTC).isocalendar()
    return f"{year}-W{week:02}"


def _groups(
    rated: Rated, columns_of: Mapping[str, Mapping[str, str]], segments: Mapping[str, Mapping[str, str]]
) -> Iterator[Group]:
    yield Group(ALL, "")
    yield Group(WEEK, week_of(rated.at_ms))
    if rated.scene:
        yield Group(SCENE, rated.scene)
    for experiment, arm in rated.arms.items():
        yield Group(ARM, f"{experiment}/{arm}")
    for field, value in segments.get(rated.user_id, {}).items():
        yield Group(SEGMENT, f"{field}={value}")
    for item in rated.items:
        yield Group(ITEM, item)
        for column, name in columns_of.get(item, {}).items():
            if name:
                yield Group(column, name)
