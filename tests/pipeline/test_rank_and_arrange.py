"""The two halves of a run: ranked candidates, and the page made of them."""

from __future__ import annotations

import asyncio
import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import runner
from pipeline.plan import Pipeline, Ranked, Ranking
from pipeline.stages import DependencyError, StageBug
from tests.pipeline.stand_ins import FixedChannel, FixedOrder, RecordingMetrics, RuleFilter, RuleScorer
from tests.pipeline.test_runner import pipeline

ITEMS = st.lists(st.integers(1, 60), unique=True, max_size=40)


async def rank(tested: Pipeline[object], slots: int) -> Ranked[object]:
    return await runner.rank(tested, "query", slots, time.monotonic() + 3600.0, time.monotonic)


def order_by_hand(items: list[int], scores: dict[int, float]) -> list[int]:
    """Best first, ties as they came, NaN last."""
    return sorted(items, key=lambda item: (math.isnan(scores.get(item, 0.0)), -scores.get(item, 0.0)))


@settings(max_examples=150, deadline=None)
@given(
    answers=st.lists(ITEMS, min_size=1, max_size=4),
    banned=st.sets(st.integers(1, 60)),
    scores=st.dictionaries(st.integers(1, 60), st.one_of(st.just(math.nan), st.floats(-5, 5, width=16))),
    turned=st.booleans(),
    slots=st.integers(1, 30),
    page_size=st.integers(1, 30),
    candidates=st.integers(1, 40),
)
def test_ranking_then_arranging_is_what_the_stages_in_line_give(
    answers: list[list[int]],
    banned: set[int],
    scores: dict[int, float],
    turned: bool,
    slots: int,
    page_size: int,
    candidates: int,
) -> None:
    page_size = min(page_size, slots)
    tested = pipeline(
        *(FixedChannel(f"c{i}", items) for i, items in enumerate(answers)),
        filters=(RuleFilter("banned", lambda item: item not in banned),),
        ranking=Ranking(RuleScorer(lambda item: scores.get(item, 0.0)), 1e6),
        rerankers=(FixedOrder("turned", lambda n: range(n)[::-1] if turned else range(n)),),
        candidates=candidates,
        oversample=3.0,
    )
    ranked = asyncio.run(rank(tested, slots))

    limit = max(candidates, slots)
    recalled = list(dict.fromkeys(item for items in answers for item in items))[: math.ceil(limit * 3.0)]
    expected = order_by_hand([item for item in recalled if item not in banned][:limit], scores)
    assert ranked.candidates.items.tolist() == expected
    assert ranked.degraded == ()

    page = runner.arrange(ranked, page_size)
    assert page.items.items.tolist() == (expected[::-1] if turned else expected)[:page_size]
    assert page.model == ranked.model

    whole = asyncio.run(runner.run(tested, "query", slots, time.monotonic() + 3600.0, time.monotonic))
    again = runner.arrange(asyncio.run(rank(tested, slots)), slots)
    np.testing.assert_array_equal(whole.items.items, again.items.items)
    np.testing.assert_array_equal(whole.items.score, again.items.score)
    assert [record.stage for record in whole.trace] == [record.stage for record in again.trace]


async def test_each_stage_is_reported_to_metrics_once() -> None:
    metrics = RecordingMetrics()
    tested = pipeline(FixedChannel("a", [1, 2]), rerankers=(FixedOrder("same", range),), metrics=metrics)
    ranked = await rank(tested, 2)
    assert [record.stage for _, record in metrics.stages] == ["channel:a", "fusion"]
    assert metrics.pages == []
    page = runner.arrange(ranked, 2)
    assert [record for _, record in metrics.stages] == page.trace
    assert metrics.pages == [("home", 2, 2, ())]


@pytest.mark.parametrize("late", [False, True])
async def test_a_late_page_goes_without_what_spreads_it_and_keeps_its_slots_and_the_other_rerankers(
    late: bool,
) -> None:
    now = 0.0
    tested = pipeline(
        FixedChannel("a", [1, 2, 3, 4]),
        rerankers=(
            FixedOrder("spread", lambda n: [1, 0, *range(2, n)]),
            FixedOrder("must", lambda n: range(n)[::-1]),
            FixedOrder("spread_again", lambda n: [1, 0, *range(2, n)]),
        ),
        spared_late=frozenset({"spread", "spread_again"}),
    )
    ranked = await runner.rank(tested, "query", 3, 1.0, lambda: now)
    now = ranked.cutoffs.page if late else math.nextafter(ranked.cutoffs.page, 0.0)
    page = runner.arrange(ranked, 3)
    assert page.items.items.tolist() == ([4, 3, 2] if late else [3, 4, 1])
    assert page.degraded == (("rerank:spread", "rerank:spread_again") if late else ())
    outcomes = {record.stage: record.outcome for record in page.trace if record.stage.startswith("rerank:")}
    spread = "timeout" if late else "ok"
    assert outcomes == {"rerank:spread": spread, "rerank:must": "ok", "rerank:spread_again": spread}


async def test_a_failed_reranker_is_named_and_a_broken_one_is_a_bug_with_the_whole_trace() -> None:
    failing = FixedOrder("down", range, DependencyError("no table"))
    page = runner.arrange(await rank(pipeline(FixedChannel("a", [1, 2]), rerankers=(failing,)), 2), 2)
    assert page.degraded == ("rerank:down",)
    broken = FixedOrder("typo", range, KeyError("x"))
    ranked = await rank(pipeline(FixedChannel("a", [1, 2]), rerankers=(broken,)), 2)
    with pytest.raises(StageBug, match="rerank:typo") as raised:
        runner.arrange(ranked, 2)
    assert [record.stage for record in raised.value.trace] == ["channel:a", "fusion", "rerank:typo"]
