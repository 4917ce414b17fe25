"""Who is in which arm, and what a candidate's failure costs a request."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as changed

from pipeline.candidates import Candidates, unscored
from pipeline.stages import DependencyError, Model
from recall.query import Query
from recall.rollout_ticket import RolloutTicket
from rollout.arms import Arm, arm_of, ticket_for
from rollout.breaker import CandidateBreaker
from rollout.guarded_scorer import GuardedScorer
from rollout.record import Plan, Rollout, StagePlan
from rollout.recorded import RecordedRequests
from rollout.settings import GuardSettings
from tests.rollout.plans import running
from tests.router.ranking.queries import query as some_query


def at_weight(weight_bp: int) -> Rollout:
    """A rollout that runs at a weight."""
    rollout = running(stage=1).rollout
    assert rollout is not None
    plan = Plan((StagePlan(weight_bp, 0.0, 0),), 10.0, 0.0)
    return changed(rollout, plan=plan, stage=0)


@given(
    user=st.text(min_size=1, max_size=20),
    lower=st.integers(1, 10_000),
    higher=st.integers(1, 10_000),
)
def test_nobody_changes_sides_as_the_weight_grows(user: str, lower: int, higher: int) -> None:
    lower, higher = min(lower, higher), max(lower, higher)
    before, after = arm_of(at_weight(lower), user), arm_of(at_weight(higher), user)
    if before is Arm.CANDIDATE:
        assert after is Arm.CANDIDATE
    if before is Arm.BASELINE and higher <= 5_000:
        assert after is Arm.BASELINE


def test_both_groups_have_the_size_of_the_weight() -> None:
    arms = [arm_of(at_weight(1_000), f"shopper-{number}") for number in range(20_000)]
    assert arms.count(Arm.CANDIDATE) == pytest.approx(2_000, rel=0.1)
    assert arms.count(Arm.BASELINE) == pytest.approx(2_000, rel=0.1)


def test_the_anonymous_are_in_no_group_but_that_of_everybody() -> None:
    assert arm_of(at_weight(5_000), "") is None
    assert arm_of(at_weight(0), "anybody") is None
    assert arm_of(at_weight(10_000), "") is Arm.CANDIDATE


class Scorer:
    """Answers by version: an array's scores, an exception, or after a wait."""

    def __init__(self, **by_version: object) -> None:
        self.by_version = by_version
        self.asked: list[str] = []

    def model(self, query: Query) -> Model:
        return Model("bst", query.model_versions["bst"])

    async def score(self, query: Query, candidates: Candidates, timeout_s: float | None = None) -> np.ndarray:
        version = query.model_versions["bst"]
        self.asked.append(version)
        outcome = self.by_version[f"v{version}"]
        if callable(outcome):
            outcome = await outcome(candidates)
        if isinstance(outcome, Exception):
            raise outcome
        return np.full(len(candidates), outcome, np.float32)


def candidates(*items: int) -> Candidates:
    """Unscored candidates."""
    ids = np.array(items, np.int32)
    return unscored(ids, np.ones(ids.size, np.uint32), np.ones(ids.size, np.float32), np.zeros_like(ids))


def guarded(scorer: Scorer, failures: int = 3) -> GuardedScorer:
    """The scorer with a candidate's timeout of 50 ms, on a clock that stands still."""
    breaker = CandidateBreaker(GuardSettings(failures=failures), lambda: 0.0)
    return GuardedScorer(scorer, breaker, RecordedRequests(4), 0.05)


def asking(arm: Arm = Arm.CANDIDATE) -> tuple[Query, RolloutTicket]:
    """A query in an arm, and its ticket."""
    ticket = ticket_for(at_weight(5_000), arm)
    versions = {"bst": "2" if arm is Arm.CANDIDATE else "1", "mind": "1"}
    return replace(some_query(), model_versions=versions, rollout=ticket), ticket


async def late(asked: Candidates) -> float:
    await asyncio.sleep(5)
    return 0.9


@pytest.mark.parametrize(
    ("outcome", "why"),
    [
        (DependencyError("bst 2 is not reachable"), "not reachable"),
        (float("nan"), "not finite"),
        (float("inf"), "not finite"),
        (late, "no answer within 50 ms"),
    ],
)
async def test_a_candidate_that_fails_is_replaced_within_the_request(outcome: object, why: str) -> None:
    scorer = Scorer(v1=0.5, v2=outcome)
    query, ticket = asking()
    scores = await guarded(scorer).score(query, candidates(1, 2, 3))
    assert scores.tolist() == [0.5, 0.5, 0.5]
    assert why in ticket.failure
    assert guarded(scorer).model(query) == Model("bst", "1")
    assert query.model_versions == {"bst": "2", "mind": "1"}, "the query itself was changed"
    assert scorer.asked == ["2", "1"]


async def test_a_request_in_parts_is_scored_by_one_version() -> None:
    async def fails_for_the_second(asked: Candidates) -> object:
        await asyncio.sleep(0.01 if asked.items[0] == 1 else 0.02)
        return 0.9 if asked.items[0] == 1 else DependencyError("gone")

    scorer = Scorer(v1=0.5, v2=fails_for_the_second)
    query, ticket = asking()
    wrapped = guarded(scorer)
    parts = await asyncio.gather(
        wrapped.score(query, candidates(1, 3)), wrapped.score(query, candidates(2, 4))
    )
    assert np.concatenate(parts).tolist() == [0.5] * 4
    assert sorted(scorer.asked) == ["1", "1", "2", "2"]
    assert len(ticket.parts) == 2


async def test_a_candidate_that_keeps_failing_is_not_asked_for_a_while() -> None:
    scorer = Scorer(v1=0.5, v2=DependencyError("gone"))
    wrapped = guarded(scorer, failures=2)
    for _ in range(5):
        query, ticket = asking()
        await wrapped.score(query, candidates(1))
        assert ticket.failure
    assert scorer.asked.count("2") == 2


async def test_others_are_answered_as_ever_and_remembered() -> None:
    scorer = Scorer(v1=0.5, v2=0.9)
    ring = RecordedRequests(4)
    wrapped = GuardedScorer(scorer, CandidateBreaker(GuardSettings(), lambda: 0.0), ring, 0.05)
    plain = replace(some_query(), model_versions={"bst": "1"})
    assert (await wrapped.score(plain, candidates(1, 2))).tolist() == [0.5, 0.5]
    query, ticket = asking(Arm.BASELINE)
    assert (await wrapped.score(query, candidates(1))).tolist() == [0.5]
    assert not ticket.failure
    assert [recorded.query for recorded in ring.recent()] == [plain, query]
    asked_again = ring.recent()[1].query_for("bst", 7)
    assert asked_again.model_versions == {"bst": "7"}
    assert asked_again.rollout is None
