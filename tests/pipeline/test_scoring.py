"""Candidates scored in parts: how they are dealt, what a lost part costs, and the one order that results."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.candidates import Candidates
from pipeline.guard import Outage
from pipeline.plan import Page, Pipeline, Prerank, Ranking
from pipeline.scoring import Scores, Split, score_in_parts
from pipeline.stages import DependencyError, Model, StageBug
from tests.pipeline.stand_ins import FixedChannel, RecordingMetrics, RuleScorer
from tests.pipeline.test_runner import pipeline, run

FOREVER = 3600.0


@dataclass
class PartScorer:
    """Scores an item by its number; a part with an item of `fails` fails, one of `hangs` never answers."""

    fails: set[int] = field(default_factory=set)
    hangs: set[int] = field(default_factory=set)
    bug: int = 0
    rule: Callable[[int], float] = float
    parts: list[list[int]] = field(default_factory=list)
    cancelled: list[list[int]] = field(default_factory=list)

    async def score(self, query: object, candidates: Candidates) -> dict[str, np.ndarray]:
        items = candidates.items.tolist()
        self.parts.append(items)
        await asyncio.sleep(0)
        if self.bug in items:
            raise KeyError("typo")
        if self.fails & set(items):
            raise DependencyError(f"the part of {items[0]} failed")
        if self.hangs & set(items):
            try:
                await asyncio.sleep(FOREVER)
            except asyncio.CancelledError:
                self.cancelled.append(items)
                raise
        return {"score": np.array([self.rule(item) for item in items], np.float32)}

    def model(self, query: object) -> Model:
        return Model("rule", "7")


def ranked(scorer: PartScorer, split: Split, timeout_ms: float = 5000.0, **parts: object) -> Pipeline[object]:
    return pipeline(
        FixedChannel("a", range(1, 9)),
        ranking=Ranking(scorer, timeout_ms, split),
        **parts,  # type: ignore[arg-type]
    )


@given(count=st.integers(1, 6000), part_size=st.integers(0, 7000), max_parts=st.integers(1, 64))
def test_parts_are_as_few_as_fit_and_equal(count: int, part_size: int, max_parts: int) -> None:
    parts = Split(part_size, max_parts).parts(count)
    sizes = [len(range(part, count, parts)) for part in range(parts)]
    assert sum(sizes) == count
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) >= 1
    if part_size == 0:
        assert parts == 1
    elif parts < max_parts:
        assert max(sizes) <= part_size
        assert parts == 1 or -(-count // (parts - 1)) > part_size


@pytest.mark.parametrize(("part_size", "max_parts"), [(-1, 1), (10, 0)])
def test_a_split_that_means_nothing_is_refused(part_size: int, max_parts: int) -> None:
    with pytest.raises(ValueError, match=f"got {part_size} and {max_parts}"):
        Split(part_size, max_parts)


SCORES = st.lists(st.one_of(st.just(math.nan), st.floats(-5, 5, width=16)), min_size=1, max_size=60)


@given(values=SCORES, parts=st.integers(1, 7), lost=st.sets(st.integers(0, 6)))
def test_the_order_loses_nothing_and_keeps_its_promises(
    values: list[float], parts: int, lost: set[int]
) -> None:
    parts = min(parts, len(values))
    lost = {part for part in lost if part < parts}
    scored = ~np.isin(np.arange(len(values)) % parts, list(lost))
    numbers = np.where(scored, np.array(values, np.float32), np.float32(np.nan))
    scores = Scores({"score": numbers}, scored, parts, {part: Outage("failed", "down") for part in lost})
    order = scores.order()

    assert sorted(order.tolist()) == list(range(len(values)))
    stayed = np.flatnonzero(~scored)
    np.testing.assert_array_equal(order[stayed], stayed)
    rest = order[scored]
    known = numbers[rest]
    sunk = np.isnan(known)
    assert (np.diff(known[~sunk]) <= 0).all()
    # A score the model calls NaN lies behind every number; one that was never asked for does not.
    assert sunk[np.count_nonzero(~sunk) :].all()
    for before, after in zip(rest.tolist(), rest.tolist()[1:], strict=False):
        equal = numbers[before] == numbers[after] or (np.isnan(numbers[before]) and np.isnan(numbers[after]))
        assert not equal or before < after


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(1, 40),
    part_size=st.integers(1, 12),
    max_parts=st.integers(1, 8),
    failing=st.sets(st.integers(0, 7)),
)
def test_scores_come_back_to_the_candidates_they_belong_to(
    count: int, part_size: int, max_parts: int, failing: set[int]
) -> None:
    split = Split(part_size, max_parts)
    parts = split.parts(count)
    failing = {part for part in failing if part < parts}
    scorer = PartScorer(fails={part + 1 for part in failing}, rule=lambda item: item / 7)
    items = np.arange(1, count + 1, dtype=np.int32)
    zeros = np.zeros(count, np.float32)
    given_ = Candidates(items, items.astype(np.uint32), zeros, items, zeros)
    scores = asyncio.run(
        score_in_parts("ranking", scorer, split, "q", given_, time.monotonic() + FOREVER, time.monotonic)
    )
    expected = np.isin(np.arange(count) % parts, list(failing), invert=True)
    np.testing.assert_array_equal(scores.scored, expected)
    np.testing.assert_array_equal(scores.values[expected], (items / 7).astype(np.float32)[expected])
    assert np.isnan(scores.values[~expected]).all()
    assert set(scores.outages) == failing
    assert scores.lost == (len(failing) == parts)
    assert sorted(item for part in scorer.parts for item in part) == items.tolist()


async def test_parts_run_side_by_side_and_give_the_order_of_one_call() -> None:
    scorer, whole = PartScorer(), PartScorer()
    page = await run(ranked(scorer, Split(2, 8)), page_size=8)
    assert scorer.parts == [[1, 5], [2, 6], [3, 7], [4, 8]]
    assert page.items.items.tolist() == [8, 7, 6, 5, 4, 3, 2, 1]
    assert page.items.score.tolist() == [8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0]
    assert page.degraded == ()
    assert page.model == Model("rule", "7")
    assert (await run(ranked(whole, Split()), page_size=8)).items.items.tolist() == page.items.items.tolist()
    assert whole.parts == [list(range(1, 9))]


async def test_a_failed_part_falls_back_alone_and_is_named() -> None:
    metrics = RecordingMetrics()
    page = await run(ranked(PartScorer(fails={2}), Split(2, 8), metrics=metrics), page_size=8)
    # 2 and 6 stay second and sixth; the others fill the rest by score.
    assert page.items.items.tolist() == [8, 2, 7, 5, 4, 6, 3, 1]
    assert np.flatnonzero(np.isnan(page.items.score)).tolist() == [1, 5]
    assert page.degraded == ("ranking:partial",)
    assert page.model == Model("rule", "7")
    (record,) = [record for record in page.trace if record.stage == "ranking"]
    assert (record.outcome, record.count_in, record.count_out) == ("partial", 8, 8)
    assert record.detail == "2 of 8 candidates not scored; part 2 of 4: the part of 2 failed"
    assert metrics.pages == [("home", 8, 8, ("ranking:partial",))]


async def test_a_late_part_is_cancelled_and_the_others_count() -> None:
    scorer = PartScorer(hangs={1})
    page = await run(ranked(scorer, Split(2, 8), timeout_ms=100.0), page_size=8)
    assert page.items.items.tolist() == [1, 8, 7, 6, 5, 4, 3, 2]
    assert page.degraded == ("ranking:partial",)
    assert "part 1 of 4: its deadline passed" in page.trace[-1].detail
    await asyncio.sleep(0)
    assert scorer.cancelled == [[1, 5]]


async def test_without_any_part_the_order_stands_and_the_stage_is_named() -> None:
    page = await run(
        ranked(PartScorer(fails={1, 2}, hangs={3, 4}), Split(2, 8), timeout_ms=50.0), page_size=8
    )
    assert page.items.items.tolist() == list(range(1, 9))
    assert page.degraded == ("ranking",)
    assert page.model == ("", "")
    assert page.trace[-1].outcome == "timeout"
    assert "part 1 of 4: the part of 1 failed; part 2" in page.trace[-1].detail


async def test_nan_of_the_model_sinks_where_a_lost_candidate_stays() -> None:
    scorer = PartScorer(fails={2}, rule=lambda item: math.nan if item == 8 else float(item))
    page = await run(ranked(scorer, Split(2, 8)), page_size=8)
    assert page.items.items.tolist() == [7, 2, 5, 4, 3, 6, 1, 8]
    assert page.trace[-1].detail.endswith("; 1 scores NaN")


async def test_a_bug_in_one_part_ends_the_run_and_cancels_the_others() -> None:
    scorer = PartScorer(hangs={1, 3}, bug=2)
    with pytest.raises(StageBug, match="ranking failed: KeyError") as caught:
        await run(ranked(scorer, Split(2, 8)))
    assert isinstance(caught.value.cause, KeyError)
    await asyncio.sleep(0)
    assert sorted(scorer.cancelled) == [[1, 5], [3, 7]]


def preranked(
    light: object, keep: int = 3, width: int = 6, prerank_ms: float = 5000.0, **parts: object
) -> Pipeline[object]:
    return pipeline(
        FixedChannel("a", range(1, 11)),
        candidates=keep,
        oversample=1.0,
        prerank=Prerank(Ranking(light, prerank_ms, Split(3, 2)), width),  # type: ignore[arg-type]
        **{"ranking": Ranking(RuleScorer(lambda item: -item), 5000.0), **parts},
    )


def counts(page: Page) -> dict[str, tuple[int, int]]:
    return {record.stage: (record.count_in, record.count_out) for record in page.trace}


async def test_prerank_keeps_the_best_for_ranking() -> None:
    page = await run(preranked(RuleScorer(float)), page_size=3)
    assert page.items.items.tolist() == [4, 5, 6]
    assert page.items.score.tolist() == [-4.0, -5.0, -6.0]
    assert page.degraded == ()
    assert page.model == Model("rule", "7")
    assert counts(page) == {"channel:a": (100, 10), "fusion": (10, 6), "prerank": (6, 3), "ranking": (3, 3)}
    assert page.trace[2].removed == {"prerank": 3}


@pytest.mark.parametrize(
    ("light", "outcome"),
    [
        (RuleScorer(float, error=DependencyError("no version of prerank")), "failed"),
        (RuleScorer(float, delay=FOREVER), "timeout"),
    ],
)
async def test_without_prerank_the_first_in_recall_order_are_ranked(light: RuleScorer, outcome: str) -> None:
    page = await run(preranked(light, prerank_ms=30.0), page_size=3)
    assert page.items.items.tolist() == [1, 2, 3]
    assert page.degraded == ("prerank",)
    assert page.model == Model("rule", "7")
    record = page.trace[2]
    assert (record.stage, record.outcome, record.count_out, record.removed) == ("prerank", outcome, 6, {})
    assert page.trace[3].stage == "limit"
    assert page.trace[3].removed == {"over_limit": 3}


async def test_prerank_in_part_is_named_so_and_ranks_what_it_can_tell() -> None:
    page = await run(preranked(PartScorer(fails={2})), page_size=3)
    # Dealt 1 3 5 and 2 4 6; the second is lost, so 2 keeps its place and 5, 3 take the others.
    assert sorted(page.items.items.tolist()) == [2, 3, 5]
    assert page.degraded == ("prerank:partial",)


async def test_ranking_lost_after_prerank_leaves_its_order() -> None:
    broken = RuleScorer(float, error=DependencyError("down"))
    page = await run(preranked(RuleScorer(float), ranking=Ranking(broken, 5000.0)), page_size=3)
    assert page.items.items.tolist() == [6, 5, 4]
    assert np.isnan(page.items.score).all()
    assert page.degraded == ("ranking",)


async def test_prerank_is_skipped_where_all_can_be_ranked() -> None:
    light = RuleScorer(float)
    page = await run(preranked(light, keep=10, width=20), page_size=3)
    assert light.scored == []
    assert page.degraded == ()
    assert [record.outcome for record in page.trace if record.stage == "prerank"] == ["skipped"]


async def test_prerank_leaves_ranking_its_time() -> None:
    # A fifth of a second in all: prerank may take until 65 % of it, whatever its own limit says.
    page = await run(preranked(RuleScorer(float, delay=FOREVER), prerank_ms=FOREVER * 1000), 3, seconds=0.2)
    assert page.degraded == ("prerank",)
    assert [record.outcome for record in page.trace if record.stage == "ranking"] == ["ok"]


@settings(max_examples=60, deadline=None)
@given(
    recalled=st.integers(0, 30),
    keep=st.integers(1, 12),
    width=st.integers(1, 40),
    page_size=st.integers(1, 12),
    failing=st.sets(st.integers(1, 30), max_size=3),
)
def test_the_page_is_valid_whatever_part_of_prerank_fails(
    recalled: int, keep: int, width: int, page_size: int, failing: set[int]
) -> None:
    tested = pipeline(
        FixedChannel("a", range(1, recalled + 1)),
        candidates=keep,
        oversample=1.0,
        prerank=Prerank(Ranking(PartScorer(fails=failing), 1e6, Split(4, 3)), width),
        ranking=Ranking(RuleScorer(lambda item: -item), 1e6),
    )
    page = asyncio.run(run(tested, page_size))
    shown = page.items.items.tolist()
    limit = max(keep, page_size)
    considered = min(recalled, max(limit, width))
    assert len(shown) == min(page_size, considered)
    assert len(set(shown)) == len(shown)
    assert all(1 <= item <= considered for item in shown)
    assert shown == sorted(shown)
    assert counts(page)["ranking"][0] == min(limit, considered)
