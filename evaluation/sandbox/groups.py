"""Candidates dealt to random groups: mean scores with intervals, by pool and stacked over pools.

A pool is what one channel found for the pages of one scene. Every page's candidates are dealt anew, so groups
differ by chance alone: how far their means lie apart shows what chance does, and a pool whose mean lies
further from the others' is better or worse than they are. Scored group by group, a candidate
must have the score that it has beside all others: the router may deal candidates to several calls.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from foundation.statistics.grouped_ratio import Interval, grouped_ratio, interval_of
from pipeline.candidates import Candidates

STACKED = "all pools"
WHOLE = 0
"""In the place of a group's number: all groups."""


class GroupRow(NamedTuple):
    """Mean score of one group of one pool; `group` counts from 1, 0 = all of them; n: candidates."""

    pool: str
    group: int
    n: int
    score: Interval


@dataclass(frozen=True, slots=True)
class DealtPage:
    """Candidates of one page with their groups.

    pools     name of each pool with a mask bool[n] of its candidates
    group     int[n], from 0
    scores    float32[n], by a call with the candidate's group alone; NaN where it was not scored
    shopper   of the page; pages of one may depend on each other
    """

    pools: Mapping[str, NDArray[np.bool_]]
    group: NDArray[np.intp]
    scores: NDArray[np.float32]
    shopper: int


def deal(count: int, groups: int, random: np.random.Generator) -> NDArray[np.intp]:
    """The group, 0…groups − 1, of each of `count` candidates: sizes differ by at most one."""
    return np.asarray(random.permutation(count) % groups, np.intp)


def pools_of(scene: str, candidates: Candidates, channels: Sequence[str]) -> dict[str, NDArray[np.bool_]]:
    """One pool per channel, "<scene>/<channel>": what it recalled of the candidates.

    channels  names by bit, as `Pipeline.channel_names`
    """
    return {
        f"{scene}/{name}": (candidates.channels >> np.uint32(bit) & np.uint32(1)).astype(bool)
        for bit, name in enumerate(channels)
    }


@dataclass(frozen=True, slots=True)
class GroupScores:
    """Mean scores.

    rows      by pool: all groups, then each; the groups of all pools stacked come last
    smallest  of the p-values that a group of the stack differs from the others by more than chance, times
              their number (Bonferroni); 1 where nothing was scored
    """

    rows: list[GroupRow]
    smallest: float


def group_scores(pages: Sequence[DealtPage], groups: int, level: float) -> GroupScores:
    """Mean scores of the groups, whole pages' candidates drawn together as a shopper's.

    In the stack a candidate counts once for each pool that has it. Candidates without a finite score are left
    out.
    """
    parts: dict[str, list[tuple[NDArray[np.float64], NDArray[np.intp], int]]] = {}
    for page in pages:
        finite = np.isfinite(page.scores)
        for name, mask in page.pools.items():
            scored = mask & finite
            parts.setdefault(name, []).append(
                (page.scores[scored].astype(float), page.group[scored], page.shopper)
            )
    columns = {name: _columns(pool) for name, pool in parts.items()}
    columns = {name: pool for name, pool in columns.items() if pool.scores.size}
    if not columns:
        return GroupScores([], 1.0)
    stack = _Columns(*(np.concatenate(each) for each in zip(*columns.values(), strict=True)))
    rows = [row for name, pool in columns.items() for row in _rows(name, pool, groups, level)]
    return GroupScores([*rows, *_rows(STACKED, stack, groups, level)], _smallest_p(stack, groups))


class _Columns(NamedTuple):
    scores: NDArray[np.float64]
    group: NDArray[np.intp]
    shopper: NDArray[np.int64]


def _columns(parts: Sequence[tuple[NDArray[np.float64], NDArray[np.intp], int]]) -> _Columns:
    return _Columns(
        np.concatenate([scores for scores, _, _ in parts]),
        np.concatenate([group for _, group, _ in parts]),
        np.repeat([shopper for _, _, shopper in parts], [scores.size for scores, _, _ in parts]),
    )


def _rows(name: str, pool: _Columns, groups: int, level: float) -> list[GroupRow]:
    masks = [np.ones(pool.scores.size, bool), *(pool.group == group for group in range(groups))]
    return [
        GroupRow(
            name,
            number,
            int(np.count_nonzero(mask)),
            # Of all shoppers' rows, so that one without a row in the group counts as a shopper too.
            grouped_ratio(pool.scores * mask, mask.astype(float), pool.shopper, level),
        )
        for number, mask in enumerate(masks, WHOLE)
    ]


def _smallest_p(pool: _Columns, groups: int) -> float:
    """Of each group's mean less that of the others, whose influences are taken by shopper."""
    found = []
    for group in range(groups):
        inside = pool.group == group
        if not inside.any() or inside.all():
            continue
        share = inside.mean()
        means = pool.scores[inside].mean(), pool.scores[~inside].mean()
        influence = np.where(
            inside, (pool.scores - means[0]) / share, -(pool.scores - means[1]) / (1 - share)
        )
        difference = interval_of(float(means[0] - means[1]), influence, pool.shopper)
        if not difference.error > 0:
            continue
        degrees = np.unique(pool.shopper).size - 1
        found.append(2 * float(stats.t.sf(abs(difference.value) / difference.error, degrees)))
    return min(1.0, min(found) * len(found)) if found else 1.0
