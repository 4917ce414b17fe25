"""The report of satisfaction, of every group in every dimension."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec
import numpy as np

from learning.satisfaction.dimensions import DIMENSIONS
from learning.satisfaction.report.alerts import Look, look_for_drops
from learning.satisfaction.report.groups import COLUMNS, KINDS, Group, ItemGroups, groups_of, week_of
from learning.satisfaction.report.ratings import OVERALL, Rated, Ratings
from learning.satisfaction.report.summary import Counted, GroupSummary, summarise
from learning.satisfaction.settings import AlertSettings


class SatisfactionReport(msgspec.Struct, frozen=True, kw_only=True):
    """What shoppers said, in a log.

    Attributes:
        first_ms, last_ms: unix milliseconds of the first and the last rating; 0 where there is none.
        shoppers: who rated.
        said: times that a shopper said something; of those who rated a group several times in a week the
            latest
            counts.
        groups: every group in every dimension that it was rated in, by kind as in `groups.KINDS`, then by the
            number of ratings.
        look: whether satisfaction has dropped.
        warnings: what a reader must know before believing the figures.
    """

    first_ms: int
    last_ms: int
    shoppers: int
    said: int
    groups: list[GroupSummary]
    look: Look
    warnings: list[str]

    def of(self, kind: str, dimension: str = OVERALL) -> list[GroupSummary]:
        """The groups of a kind in one dimension, those with most ratings first; weeks in their order."""
        return [each for each in self.groups if each.kind == kind and each.dimension == dimension]


def build_report(
    ratings: Ratings,
    items: ItemGroups,
    segments: Mapping[str, Mapping[str, str]],
    now_ms: int,
    alerts: AlertSettings,
    seed: int,
) -> SatisfactionReport:
    """The report of a log's ratings.

    Args:
        ratings: in the order of the log.
        items: what the catalogue knows of items.
        segments: shopper → field of the profile → value.
        now_ms: unix milliseconds at which the last days end.
        alerts: of the look for drops.
        seed: of the bootstrap.
    """
    rated = ratings.rated
    counted = _latest(rated, _columns(rated, items), segments)
    rng = np.random.default_rng(seed)
    order = {name: position for position, name in enumerate((OVERALL, *DIMENSIONS.values()))}
    groups = [
        summarise(group.kind, group.name, dimension, counted[group, dimension], rng)
        for group, dimension in sorted(
            counted, key=lambda key: (KINDS.index(key[0].kind), key[0].name, order[key[1]])
        )
    ]
    groups.sort(key=lambda each: (KINDS.index(each.kind), 0 if each.kind == "week" else -each.ratings))
    times = [each.at_ms for each in rated]
    return SatisfactionReport(
        first_ms=min(times, default=0),
        last_ms=max(times, default=0),
        shoppers=len({each.user_id for each in rated}),
        said=len(rated),
        groups=groups,
        look=look_for_drops(rated, now_ms, alerts),
        warnings=list(_warnings(ratings)),
    )


def _columns(rated: Sequence[Rated], items: ItemGroups) -> dict[str, dict[str, str]]:
    ids = sorted({item for each in rated for item in each.items})
    names = items(ids)
    return {item: {column: names[column][row] for column in COLUMNS} for row, item in enumerate(ids)}


def _latest(
    rated: Sequence[Rated],
    columns_of: Mapping[str, Mapping[str, str]],
    segments: Mapping[str, Mapping[str, str]],
) -> dict[tuple[Group, str], list[Counted]]:
    """Of each group and dimension the latest rating of each shopper in each week."""
    latest: dict[tuple[Group, str], dict[tuple[str, str], Counted]] = {}
    for each in rated:
        key = (each.user_id, week_of(each.at_ms))
        for group in groups_of(each, columns_of, segments):
            for dimension, value in each.values.items():
                of_group = latest.setdefault((group, dimension), {})
                earlier = of_group.get(key)
                if earlier is None or earlier.rated.at_ms <= each.at_ms:
                    of_group[key] = Counted(value, each)
    return {key: list(of_group.values()) for key, of_group in latest.items()}


def _warnings(ratings: Ratings) -> Iterator[str]:
    if ratings.unreadable:
        yield (
            f"{ratings.unreadable:,} ratings have a token that cannot be read here, so their arms are not "
            "known; the secret that signed them must be in the environment"
        )
    only_words = sum(not each.values for each in ratings.rated)
    if only_words:
        yield f"{only_words:,} times a shopper gave reasons or a comment and no rating; these are in no group"
