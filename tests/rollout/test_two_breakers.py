"""Both breakers in a row: the candidate's own, and the circuits of all calls to Triton beneath it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from pipeline.candidates import Candidates, unscored
from pipeline.stages import DependencyError, Model
from recall.query import Query
from rollout.arm_statistics import ArmStatistics
from rollout.arms import Arm
from rollout.breaker import CandidateBreaker
from rollout.guarded_scorer import GuardedScorer
from rollout.judging.check_results import CheckResults
from rollout.judging.judge import judge
from rollout.judging.settings import JudgeSettings
from rollout.lmdb_store import LmdbRolloutStore
from rollout.metrics import RolloutMetrics
from rollout.recorded import RecordedRequests
from rollout.replica import CANDIDATE_DEGRADED, ReplicaRollouts, ServingSnapshot
from rollout.settings import GuardSettings, RolloutSettings
from router.ranking.circuit_breaker import CircuitBreaker, NoAnswer
from router.ranking.settings import BreakerSettings
from tests.rollout.plans import DATASET, running
from tests.router.ranking.queries import query as some_query

SERVED = ServingSnapshot(DATASET, {"bst": "1"})
CANDIDATE, STABLE = "2", "1"
TIMEOUT_S, BETWEEN_S = 0.2, 0.02
PART = unscored(
    np.arange(1, 31, dtype=np.int32), np.ones(30, np.uint32), np.ones(30, np.float32), np.zeros(30, np.int32)
)


@dataclass
class Triton:
    """Two versions behind one breaker. Time passes only as calls and callers say; nothing is waited for.

    frozen, failing  versions that never answer, and that answer with an error at once
    """

    now: float = 0.0
    frozen: set[str] = field(default_factory=set)
    failing: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    reported: list[str] = field(default_factory=list)
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(1))

    def __post_init__(self) -> None:
        self.breaker = CircuitBreaker(
            BreakerSettings(), lambda: self.now, lambda _, event: self.reported.append(event)
        )

    def model(self, query: Query) -> Model:
        return Model("bst", query.model_versions["bst"])

    async def score(self, query: Query, candidates: Candidates, timeout_s: float | None = None) -> np.ndarray:
        version = query.model_versions["bst"]
        with self.breaker.call("bst", version):
            self.asked.append(version)
            await asyncio.sleep(0)
            if version in self.frozen:
                self.now += timeout_s or TIMEOUT_S
                raise NoAnswer(f"bst {version} did not answer")
            if version in self.failing:
                raise DependencyError(f"bst {version} failed")
        return 1.0 / (1.0 + np.exp(-self.random.normal(-3.0, 1.0, len(candidates)))).astype(np.float32)


class Shop:
    """One replica in a stage of 50 %, asked by one shopper after another."""

    def __init__(self, folder: Path, triton: Triton, stage: int = 2) -> None:
        self.triton = triton
        self.store = LmdbRolloutStore(folder)
        self.replica = ReplicaRollouts(
            "bst", self.store, RolloutSettings(), "r1", RolloutMetrics(ProcessMetrics())
        )
        self.replica.adopt(running(stage))
        self.guard = CandidateBreaker(GuardSettings(), lambda: triton.now)
        self.scorer = GuardedScorer(
            triton, self.guard, RecordedRequests(4), TIMEOUT_S / 2, lambda: triton.now
        )
        self.without_ranking = 0
        self._shoppers = 0

    async def serve(self, requests: int) -> None:
        """Answers, as the service does it: what the scorer raises costs the ranking, not the page."""
        for _ in range(requests):
            self._shoppers += 1
            self.triton.now += BETWEEN_S
            user = f"shopper-{self._shoppers % 900}"
            assigned = self.replica.assign(SERVED, user)
            query = replace(
                some_query(), user_id=user, model_versions=assigned.versions, rollout=assigned.ticket
            )
            began, degraded = self.triton.now, []
            try:
                await self.scorer.score(query, PART)
            except DependencyError:
                self.without_ranking += 1
                degraded.append("ranking")
            ticket = query.rollout
            if ticket is not None and ticket.failure:
                degraded.append(CANDIDATE_DEGRADED)
            latency_ms = 8.0 + (self.triton.now - began) * 1_000.0
            self.replica.answered(ticket, user, latency_ms, shown=20, page_size=20, degraded=degraded)

    def counted(self, arm: Arm, stage: int = 2) -> ArmStatistics:
        assert self.replica.counts is not None
        return self.replica.counts.arm(stage, arm)

    def judged(self) -> CheckResults:
        return judge(self.counted(Arm.CANDIDATE), self.counted(Arm.BASELINE), None, JudgeSettings())


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path / "rollouts", Triton())
    yield made
    made.store.close()


async def test_a_candidate_that_fails_opens_its_own_breaker_and_no_circuit(shop: Shop) -> None:
    shop.triton.failing = {CANDIDATE}
    await shop.serve(600)
    assert shop.without_ranking == 0, "the stable version was touched"
    assert not shop.triton.reported
    seconds = shop.triton.now
    assert shop.triton.asked.count(CANDIDATE) <= 3 + seconds / GuardSettings().pause_s + 1
    assert shop.triton.asked.count(STABLE) == 600
    assert shop.judged().verdict != "pass"


async def test_a_frozen_candidate_leaves_the_stable_versions_circuit_closed(shop: Shop) -> None:
    shop.triton.frozen = {CANDIDATE}
    await shop.serve(1_500)
    assert shop.without_ranking == 0
    assert shop.triton.asked.count(STABLE) == 1_500
    results = shop.judged()
    assert results.verdict == "fail"
    assert "degraded" in results.reason or "latency" in results.reason


async def test_a_frozen_triton_opens_the_stable_circuit_and_is_not_the_candidates_fault(shop: Shop) -> None:
    await shop.serve(400)
    shop.triton.frozen = {STABLE, CANDIDATE}
    await shop.serve(400)
    assert "opened" in shop.triton.reported
    assert shop.without_ranking > 300
    assert shop.triton.asked[400:].count(STABLE) < 100, "every request waited for a Triton that is frozen"
    results = shop.judged()
    assert results.verdict != "fail", results.reason
    candidate, baseline = shop.counted(Arm.CANDIDATE), shop.counted(Arm.BASELINE)
    shares = [arm.total("degraded") / arm.requests for arm in (candidate, baseline)]
    assert shares[0] == pytest.approx(shares[1], abs=0.05), "the outage weighs more on one arm"
    shop.triton.frozen = set()
    await shop.serve(1_500)
    assert shop.triton.reported[-1] == "closed", "calls are still refused"
    assert shop.judged().verdict != "fail"


async def test_a_short_freeze_at_full_weight_is_no_evidence_beyond_the_calls_that_were_made(
    tmp_path: Path,
) -> None:
    shop = Shop(tmp_path / "rollouts", Triton(), stage=3)
    await shop.serve(150)
    shop.triton.frozen = {CANDIDATE}
    await shop.serve(3)
    shop.triton.frozen = set()
    await shop.serve(60)
    candidate = shop.counted(Arm.CANDIDATE, 3)
    assert candidate.total("degraded") == 3
    assert candidate.requests < 213, "answers of the pause count as the candidate's"
    assert candidate.total("impressions") == 213 * 20, "what shoppers saw and may click on"
    shop.store.close()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["well", "frozen", "failing"]), st.integers(1, 40)), min_size=1, max_size=8
    )
)
def test_whatever_becomes_of_the_candidate_the_stable_version_answers_everybody(
    tmp_path_factory: pytest.TempPathFactory, phases: list[tuple[str, int]]
) -> None:
    shop = Shop(tmp_path_factory.mktemp("breakers"), Triton())

    async def live() -> None:
        for state, requests in phases:
            shop.triton.frozen = {CANDIDATE} if state == "frozen" else set()
            shop.triton.failing = {CANDIDATE} if state == "failing" else set()
            await shop.serve(requests)

    asyncio.run(live())
    assert shop.without_ranking == 0
    assert shop.counted(Arm.BASELINE).total("degraded") == 0
    shop.store.close()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=6))
@example([34, 5, 25, 60, 60])
@example([59, 3, 52, 8, 2])
def test_what_befalls_both_versions_never_fails_the_candidate(
    tmp_path_factory: pytest.TempPathFactory, spells: list[int]
) -> None:
    shop = Shop(tmp_path_factory.mktemp("breakers"), Triton())

    async def live() -> None:
        for number, requests in enumerate(spells):
            shop.triton.frozen = {STABLE, CANDIDATE} if number % 2 else set()
            await shop.serve(requests)

    asyncio.run(live())
    failed = [check for check in shop.judged().checks if check.verdict == "fail"]
    assert not failed
    shop.store.close()
