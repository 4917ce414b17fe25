"""What the tested setting changes: every page made twice, candidates scored whole and by group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.sandbox.groups import DealtPage, GroupScores, deal, group_scores, pools_of
from evaluation.sandbox.recorded_pages import PageToMake
from evaluation.sandbox.replay import Contender, MadePage
from evaluation.sandbox.settings import SandboxSettings
from foundation.statistics.grouped_ratio import Interval, grouped_ratio


@dataclass(frozen=True, slots=True)
class Comparison:
    """The present setting and the tested one on the same pages.

    pages         made by both
    empty         share of the pages' slots left empty: present, tested
    degraded      share of the pages on which something did not take part: present, tested
    unscored      share of the tested setting's candidates without a finite score; 0 without a ranking
    flat          share of its pages whose candidates, of two or more, all have the same score; likewise
    ranked        whether both settings have a ranking; what is said of scores is NaN where not
    alone         largest change of a score where its group was scored alone, in standard deviations of the
                  page's scores
    yardstick     mean score of a page's items by the present ranking: present, tested
    change        tested less present, of the same pages
    shared        mean share of a page's items that are on the present page too
    new           share of the tested setting's candidates that are not among the present one's
    groups        mean scores of the tested setting's candidates by its own ranking
    """

    pages: int
    empty: tuple[float, float]
    degraded: tuple[float, float]
    unscored: float
    flat: float
    ranked: bool
    alone: float
    yardstick: tuple[Interval, Interval]
    change: Interval
    shared: float
    new: float
    groups: GroupScores


async def compare(
    pages: Sequence[PageToMake],
    present: Contender,
    tested: Contender,
    settings: SandboxSettings,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Comparison:
    """Makes every page by both settings; at least one page.

    Raises StageBug where a stage of either has a bug.
    """
    random = np.random.default_rng(settings.seed)
    shoppers: dict[str, int] = {}
    rows = []
    for index, page in enumerate(pages):
        user_id = page.asked.user_id
        # Two anonymous requests are of two shoppers.
        shopper = shoppers.setdefault(user_id, len(shoppers)) if user_id else -1 - index
        rows.append(await _compared(page, present, tested, shopper, random, settings.groups))
        progress(index + 1, len(pages))
    groups = np.array([row.dealt.shopper for row in rows], np.int64)
    slots = sum(page.size for page in pages)
    ones = np.ones(len(rows))
    yardstick = np.array([row.yardstick for row in rows])
    measured = np.isfinite(yardstick).all(axis=1)
    before, after = yardstick[measured].T
    level, count = settings.level, sum(len(row.tested.pool) for row in rows)
    return Comparison(
        pages=len(rows),
        empty=(
            1 - sum(len(row.present.items) for row in rows) / slots,
            1 - sum(len(row.tested.items) for row in rows) / slots,
        ),
        degraded=(
            float(np.mean([bool(row.present.degraded) for row in rows])),
            float(np.mean([bool(row.tested.degraded) for row in rows])),
        ),
        unscored=sum(row.unscored for row in rows) / max(count, 1),
        flat=float(np.mean([row.flat for row in rows])),
        ranked=all(row.ranked for row in rows),
        alone=max(row.alone for row in rows),
        yardstick=(
            grouped_ratio(before, ones[measured], groups[measured], level),
            grouped_ratio(after, ones[measured], groups[measured], level),
        ),
        change=grouped_ratio(after - before, ones[measured], groups[measured], level),
        shared=float(np.mean([row.shared for row in rows])),
        new=sum(row.new for row in rows) / max(count, 1),
        groups=group_scores([row.dealt for row in rows], settings.groups, level),
    )


@dataclass(frozen=True, slots=True)
class _Compared:
    """One page: what `Comparison` has of all of them; counts in the place of shares of candidates."""

    present: MadePage
    tested: MadePage
    dealt: DealtPage
    unscored: int
    flat: bool
    ranked: bool
    alone: float
    yardstick: tuple[float, float]
    shared: float
    new: int


async def _compared(
    page: PageToMake,
    present: Contender,
    tested: Contender,
    shopper: int,
    random: np.random.Generator,
    groups: int,
) -> _Compared:
    before, after = await present.make(page), await tested.make(page)
    pool, scene = after.pool, page.scene
    group = deal(len(pool), groups, random)
    alone = np.full(len(pool), np.nan, np.float32)
    ranked = tested.engine.pipelines[scene].ranking is not None
    if ranked:
        for number in range(groups):
            rows = np.flatnonzero(group == number)
            scores = await tested.scores(scene, after.query, pool.take(rows)) if rows.size else None
            if scores is not None:
                alone[rows] = scores
    measured = ranked and present.engine.pipelines[scene].ranking is not None
    yardstick = (float("nan"), float("nan"))
    if measured and len(before.items) and len(after.items):
        yardstick = (
            float(np.mean(before.pool.score[np.isin(before.pool.items, before.items)])),
            float(np.mean(await _present_scores(scene, present, before, after))),
        )
    return _Compared(
        before,
        after,
        DealtPage(pools_of(scene, pool, tested.engine.pipelines[scene].channel_names), group, alone, shopper),
        unscored=int(np.count_nonzero(~np.isfinite(pool.score))) if ranked else 0,
        flat=ranked and len(pool) > 1 and bool(np.ptp(pool.score) == 0),
        ranked=measured,
        alone=_largest_change(pool.score, alone) if ranked else 0.0,
        yardstick=yardstick,
        shared=float(np.isin(after.items, before.items).mean()) if len(after.items) else 0.0,
        new=int(np.count_nonzero(np.isin(pool.items, before.pool.items, invert=True))),
    )


async def _present_scores(
    scene: str, present: Contender, before: MadePage, after: MadePage
) -> NDArray[np.float32]:
    """float32[m], what the present ranking says of each item of the tested page.

    Of an item that the present candidates have, as it is scored among them: the tested channels alone would
    leave out what the present ones know of it. Of others, as the tested channels recalled them.
    """
    page = after.pool.take(np.isin(after.pool.items, after.items))
    order = np.argsort(before.pool.items)
    at = order[np.minimum(np.searchsorted(before.pool.items[order], page.items), order.size - 1)]
    known = before.pool.items[at] == page.items
    scores = np.where(known, before.pool.score[at], np.float32(np.nan))
    if not known.all():
        anew = await present.scores(scene, before.query, page.take(~known))
        if anew is not None:
            scores[~known] = anew
    return scores


def _largest_change(whole: NDArray[np.float32], alone: NDArray[np.float32]) -> float:
    """Of scores float32[n], in standard deviations; infinite where one has a score only one way."""
    finite = np.isfinite(whole)
    if (finite != np.isfinite(alone)).any():
        return float("inf")
    if not finite.any():
        return 0.0
    spread = float(whole[finite].std())
    change = float(np.abs(whole[finite] - alone[finite]).max())
    return change / spread if spread else change
