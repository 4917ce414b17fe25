"""Whatever fails, the page holds only what was recalled and may be shown, once each, as full as can be."""

from __future__ import annotations

import asyncio
import math
import time

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import runner
from pipeline.plan import Backfill, Page, Pipeline, Ranking
from pipeline.stages import DependencyError
from tests.pipeline.stand_ins import FixedChannel, FixedOrder, RuleFilter, RuleScorer
from tests.pipeline.test_runner import pipeline

ITEMS = st.lists(st.integers(1, 60), unique=True, max_size=40)
SCORES = st.dictionaries(st.integers(1, 60), st.one_of(st.just(math.nan), st.floats(-5, 5, width=16)))


def error(happens: bool, dependency: str) -> DependencyError | None:
    return DependencyError(f"{dependency} is down") if happens else None


@settings(max_examples=150, deadline=None)
@given(
    answers=st.lists(st.tuples(ITEMS, st.booleans()), min_size=1, max_size=4),
    banned=st.sets(st.integers(1, 60)),
    filter_fails=st.booleans(),
    scores=SCORES,
    scorer_fails=st.booleans(),
    hot=ITEMS,
    page_size=st.integers(1, 30),
    candidates=st.integers(6, 40),
)
def test_the_page_is_valid_whatever_fails(
    answers: list[tuple[list[int], bool]],
    banned: set[int],
    filter_fails: bool,
    scores: dict[int, float],
    scorer_fails: bool,
    hot: list[int],
    page_size: int,
    candidates: int,
) -> None:
    channels = [
        FixedChannel(f"c{i}", items, error=error(fails, f"c{i}")) for i, (items, fails) in enumerate(answers)
    ]
    tested = pipeline(
        *channels,
        filters=(RuleFilter("banned", lambda item: item not in banned, error(filter_fails, "list")),),
        ranking=Ranking(RuleScorer(lambda item: scores.get(item, 0.0), error=error(scorer_fails, "m")), 1e6),
        rerankers=(FixedOrder("same", range),),
        backfill=Backfill(FixedChannel("hot", hot), 1000),
        candidates=candidates,
        oversample=10.0,
    )
    page = asyncio.run(ask(tested, page_size))
    shown = page.items.items.tolist()

    recalled = {item for items, fails in answers if not fails for item in items} | set(hot)
    allowed = recalled if filter_fails else recalled - banned
    assert len(set(shown)) == len(shown) <= page_size
    assert set(shown) <= allowed
    assert len(shown) == min(page_size, len(allowed))

    for i, (_, fails) in enumerate(answers):
        assert (f"channel:c{i}" in page.degraded) == fails
    asked_to_rank = any(record.stage == "ranking" and record.count_in for record in page.trace)
    assert ("ranking" in page.degraded) == (scorer_fails and asked_to_rank)
    if "ranking" not in page.degraded:
        numbers = np.array([scores.get(item, 0.0) for item in shown])
        known = numbers[~np.isnan(numbers)]
        assert (np.diff(known) <= 0).all()
        assert np.isnan(numbers[known.size :]).all()


async def ask(tested: Pipeline[object], page_size: int) -> Page:
    return await runner.run(tested, "query", page_size, time.monotonic() + 3600.0, time.monotonic)
