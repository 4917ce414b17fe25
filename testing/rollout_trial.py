"""Rolls a version out in one process: real replica, guard, shadow, preparation, controller, store and judge.

Only Triton, the clock and the shop are made up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from pipeline.candidates import Candidates, unscored
from pipeline.stages import Model
from recall.query import Query
from rollout import transitions
from rollout.arms import Arm
from rollout.breaker import CandidateBreaker
from rollout.controller import RolloutController
from rollout.guarded_scorer import GuardedScorer
from rollout.lmdb_store import LmdbRolloutStore
from rollout.metrics import RolloutMetrics
from rollout.preparation import CandidateOnTriton
from rollout.record import ModelRecord, Plan, Rollout, StagePlan
from rollout.recorded import RecordedRequests
from rollout.replica import ReplicaRollouts, ServingSnapshot
from rollout.settings import RolloutSettings
from rollout.shadow import ShadowScoring
from testing.trial_models import Floats, TrialRequest, Version
from triton_repo.repository import ModelRepository

WITH_SHADOW = (
    StagePlan(0, 0.0, 300),
    StagePlan(1_000, 0.0, 300),
    StagePlan(5_000, 0.0, 1_500),
    StagePlan(10_000, 0.0, 500),
)
WITHOUT_SHADOW = WITH_SHADOW[1:]
_SERVED = ServingSnapshot("data-1", {"bst": "1"})
_BETWEEN_LOOKS = 50
_SECONDS_EACH = 0.1


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a trial ended.

    stage     where: "preparation", "shadow", or the weight as "10 %"
    touched   distinct shoppers whom the candidate gave scores that were used, and of how many seen
    requests  made until then
    """

    phase: str
    stage: str
    reason: str
    touched: int
    seen: int
    requests: int


class _Versions:
    """Both versions, as they would be on Triton."""

    def __init__(self, shop: Sequence[TrialRequest], candidate: Version, seed: int) -> None:
        self._by_candidates = {id(request.candidates): request for request in shop}
        self._candidate = candidate
        self._calls = np.random.default_rng(seed)

    def model(self, query: Query) -> Model:
        return Model("bst", query.model_versions["bst"])

    async def score(
        self, query: Query, candidates: Candidates, timeout_s: float | None = None
    ) -> NDArray[np.float32]:
        request = self._by_candidates[id(candidates)]
        if query.model_versions["bst"] == "2":
            log_odds = self._candidate(request, self._calls)
        else:
            log_odds = request.stable
        return (1.0 / (1.0 + np.exp(-log_odds))).astype(np.float32)


class _AllReady:
    async def missing(self, versions: Mapping[str, str]) -> list[str]:
        return []


class _OnTriton(CandidateOnTriton):
    """Both versions are loaded always; what they answer is compared as ever."""

    async def load(self, rollout: Rollout) -> None:
        return

    def holder(self, model: str) -> str:
        return ""

    def _verify(self, rollout: Rollout) -> None:
        return


async def roll_out(
    shop: Sequence[TrialRequest],
    candidate: Version,
    folder: Path,
    settings: RolloutSettings,
    stages: tuple[StagePlan, ...] = WITH_SHADOW,
    *,
    seed: int = 1,
    most_requests: int = 60_000,
) -> Outcome:
    """Rolls `candidate` out over requests drawn from `shop`, one every tenth of a second, until it ends.

    folder         of the store
    most_requests  the deadline comes with the last of them
    """
    now = [1_000.0]
    store = LmdbRolloutStore(folder)
    metrics = RolloutMetrics(ProcessMetrics())
    replica = ReplicaRollouts("bst", store, settings, "r1", metrics, lambda: now[0])
    versions = _Versions(shop, candidate, seed)
    recorded = RecordedRequests(settings.preparation.requests)
    scorer = GuardedScorer(versions, CandidateBreaker(settings.guard, lambda: now[0]), recorded, 10.0)
    shadow = ShadowScoring(replica, versions, settings, metrics, lambda: now[0])
    on_triton = _OnTriton(
        ModelRepository(folder / "triton"), "", _AllReady(), versions, recorded.recent, settings
    )
    controller = RolloutController(replica, "r1", store, on_triton, lambda: _SERVED, settings, lambda: now[0])
    draw = np.random.default_rng(seed)
    touched: set[str] = set()
    seen: set[str] = set()
    try:
        for request in range(settings.preparation.requests):
            await _answer(shop[int(draw.integers(len(shop)))], scorer, replica, shadow, f"before {request}")
        plan = Plan(stages, most_requests * _SECONDS_EACH, 0.0)
        change = transitions.start(
            ModelRecord("bst"),
            id="bst-1-2-trial",
            stable=1,
            candidate=2,
            dataset=_SERVED.dataset,
            manifest_version=1,
            plan=plan,
            actor="trial",
            now=now[0],
        )
        store.compare_and_swap(change.record, change.entry)
        made = 0
        while (rollout := _rollout(store)).active:
            await replica.poll()
            await controller.tick()
            # A preparation that was begun ends before more requests are made.
            while (rollout := _rollout(store)).phase == "preparing":
                await asyncio.sleep(0)
                await controller.tick()
            for _ in range(_BETWEEN_LOOKS):
                now[0] += _SECONDS_EACH
                made += 1
                asked = shop[int(draw.integers(len(shop)))]
                user = asked.query.user_id or f"anonymous {made}"
                seen.add(user)
                if await _answer(asked, scorer, replica, shadow, f"request {made}"):
                    touched.add(user)
        return Outcome(
            rollout.phase.value, _stage(store, rollout), rollout.reason, len(touched), len(seen), made
        )
    finally:
        store.close()


async def _answer(
    asked: TrialRequest,
    scorer: GuardedScorer,
    replica: ReplicaRollouts,
    shadow: ShadowScoring,
    request_id: str,
) -> bool:
    """Answers one request; whether by the candidate's scores."""
    assigned = replica.assign(_SERVED, asked.query.user_id)
    query = replace(
        asked.query, model_versions=assigned.versions, arms=assigned.arms, rollout=assigned.ticket
    )
    await scorer.score(query, asked.candidates)
    ticket = query.rollout
    replica.answered(
        ticket,
        asked.query.user_id or request_id,
        10.0,
        shown=10,
        page_size=10,
        degraded=("ranking:candidate",) if ticket is not None and ticket.failure else (),
    )
    if shadow.applies_to(query, None):
        await shadow.after(query, None)
    return ticket is not None and ticket.arm == Arm.CANDIDATE and not ticket.failure


def _rollout(store: LmdbRolloutStore) -> Rollout:
    rollout = store.read("bst").rollout
    if rollout is None:
        raise RuntimeError("the trial's rollout was not started")
    return rollout


def _stage(store: LmdbRolloutStore, rollout: Rollout) -> str:
    if rollout.phase == "refused":
        return "preparation"
    weight = rollout.stage_plan.weight_bp
    return f"{weight / 100:g} %" if weight else "shadow"


def made_up_shop(shoppers: int = 600, seed: int = 3) -> list[TrialRequest]:
    """Requests of two scenes, with 20 to 300 candidates; a tenth of them of anonymous shoppers."""
    random = np.random.default_rng(seed)
    quality = random.normal(0.0, 1.0, 5_001)
    shop = []
    for number in range(shoppers):
        known = random.random() >= 0.1
        history = int(random.choice([0, 5, 30, 100])) if known else 0
        for scene in ("home", "home", "home", "cart"):
            n = int(random.choice([20, 40, 100, 200, 300], p=[0.05, 0.05, 0.1, 0.2, 0.6]))
            items = random.choice(5_000, n, replace=False).astype(np.int32) + 1
            popular: Floats = -2.5 + quality[items]
            taste: Floats = popular + (random.normal(0.0, 1.2, n) if history else 0.0)
            query = Query(
                scene=scene,
                now=1_700_000_000,
                user_id=f"shopper {number}" if known else "",
                history_items=np.ones(history, np.int32),
                profile={"age_band": str(number % 12)} if known else {},
                profile_codes=np.array([0, number % 12 + 1 if known else 0, 0, 0], np.int32),
            )
            zeros = np.zeros(n, np.uint32)
            candidates = unscored(items, zeros, zeros.astype(np.float32), zeros.astype(np.int32))
            shop.append(TrialRequest(query, candidates, taste, popular))
    return shop
