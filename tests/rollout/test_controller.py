"""Who leads, and what a leader does: on a clock and a Triton that are what the test says."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from rollout import transitions
from rollout.arms import Arm
from rollout.controller import RolloutController
from rollout.counting import ArmCounts
from rollout.errors import CandidateUnfit, PreparationDelayed
from rollout.lmdb_store import LmdbRolloutStore
from rollout.metrics import RolloutMetrics
from rollout.record import ModelRecord, Phase, Rollout
from rollout.replica import ReplicaRollouts, ServingSnapshot
from rollout.settings import RolloutSettings
from tests.rollout.plans import DATASET, started

SERVED = ServingSnapshot(DATASET, {"bst": "1", "mind": "1"})


@dataclass
class Candidate:
    """The candidate on a Triton that does as told."""

    outcomes: list[str | Exception] = field(default_factory=lambda: ["compared"])
    gone: list[str] = field(default_factory=list)
    held_by: str = ""
    kept: list[tuple[int, int]] = field(default_factory=list)
    loads: int = 0

    async def prepare(self, rollout: Rollout) -> str:
        self.held_by = rollout.id
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def load(self, rollout: Rollout) -> None:
        self.loads += 1

    async def missing(self, rollout: Rollout) -> list[str]:
        return self.gone

    def holder(self, model: str) -> str:
        return self.held_by

    def release(self, model: str, keep: int, named: int) -> None:
        self.held_by = ""
        self.kept.append((keep, named))


@dataclass
class Stage:
    """A store, a clock, and controllers on both."""

    store: LmdbRolloutStore
    candidate: Candidate
    settings: RolloutSettings
    now: list[float]
    served: list[ServingSnapshot]

    def controller(self, name: str) -> RolloutController:
        replica = ReplicaRollouts(
            "bst", self.store, self.settings, name, RolloutMetrics(ProcessMetrics()), lambda: self.now[0]
        )
        return RolloutController(
            replica,
            name,
            self.store,
            self.candidate,  # type: ignore[arg-type]
            lambda: self.served[0],
            self.settings,
            lambda: self.now[0],
        )

    def start(self) -> ModelRecord:
        change = started(self.store.read("bst"), now=self.now[0])
        assert self.store.compare_and_swap(change.record, change.entry)
        return change.record

    def count(self, stage: int, *, degraded: bool, replica: str = "r9") -> None:
        """Both arms answer 400 requests of 100 shoppers; the candidate's are degraded or not."""
        rollout = self.store.read("bst").rollout
        assert rollout is not None
        counts = ArmCounts(rollout.id, replica)
        scores = np.random.default_rng(0).random(20).astype(np.float32)
        for arm in (Arm.CANDIDATE, Arm.BASELINE):
            for request in range(400):
                counts.arm(stage, arm).observe_request(
                    f"{arm}{request % 100}",
                    5.0,
                    shown=10,
                    page_size=10,
                    degraded=degraded and arm is Arm.CANDIDATE,
                    scores=scores,
                )
        self.store.put_arm_statistics(rollout.id, counts.take_changed())

    @property
    def rollout(self) -> Rollout:
        rollout = self.store.read("bst").rollout
        assert rollout is not None
        return rollout


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Stage]:
    """An empty store and a candidate that is fit."""
    store = LmdbRolloutStore(tmp_path / "rollouts")
    yield Stage(store, Candidate(), RolloutSettings(), [1_000.0], [SERVED])
    store.close()


async def ticks(scene: Stage, controller: RolloutController, count: int, seconds: float = 0.5) -> None:
    """Lets a controller look `count` times, `seconds` apart."""
    for _ in range(count):
        await controller.tick()
        await asyncio.sleep(0)
        scene.now[0] += seconds


def force(scene: Stage, stage: int) -> None:
    """Puts the rollout into a stage, as a leader would after passes."""
    while scene.rollout.stage < stage:
        record = scene.store.read("bst")
        later = scene.rollout.stage_since + 100.0
        change = transitions.apply_assessment(
            record, transitions.StageAssessment(1_000, "pass", "good"), 1.0, "r", later
        )
        assert change is not None
        assert scene.store.compare_and_swap(change.record, change.entry)


async def test_one_leads_and_prepares_and_the_other_waits(scene: Stage) -> None:
    first, second = scene.controller("r1"), scene.controller("r2")
    scene.start()
    for _ in range(4):
        await first.tick()
        await second.tick()
        await asyncio.sleep(0)
    assert scene.rollout.phase is Phase.RUNNING
    history = [(entry.event, entry.actor) for _, entry in scene.store.read_history("bst")]
    assert history == [("started", "ann"), ("led", "r1"), ("prepared", "r1")]


async def test_another_takes_over_from_a_dead_leader_which_can_change_nothing_then(scene: Stage) -> None:
    first, second = scene.controller("r1"), scene.controller("r2")
    scene.start()
    await ticks(scene, first, 4)
    stale = transitions.failed(scene.store.read("bst"), "r1", scene.now[0], "decided while it was asleep")
    scene.now[0] += scene.settings.lease_s + 1.0
    await ticks(scene, second, 2)
    assert scene.store.read("bst").epoch == 2
    assert not scene.store.compare_and_swap(stale.record, stale.entry)
    await first.tick()
    assert scene.rollout.phase is Phase.RUNNING
    scene.count(1, degraded=True, replica="of the dead")
    force(scene, 1)
    await ticks(scene, second, 1)
    assert scene.rollout.phase is Phase.ROLLED_BACK
    assert "degraded" in scene.rollout.reason
    entry = scene.store.read_history("bst", limit=100)[-1][1]
    assert entry.actor == "r2"
    assert '"verdict":"fail"' in entry.checks


async def test_a_candidate_that_is_unfit_is_refused_and_unloaded(scene: Stage) -> None:
    scene.candidate.outcomes = [
        PreparationDelayed("Triton is down"),
        CandidateUnfit("3 scores are no numbers"),
    ]
    leader = scene.controller("r1")
    scene.start()
    await ticks(scene, leader, 4)
    assert "Triton is down" in scene.rollout.reason
    await ticks(scene, leader, 12)
    assert scene.rollout.phase is Phase.REFUSED
    assert "no numbers" in scene.rollout.reason
    assert scene.candidate.kept == [(1, 1)]
    assert scene.store.read_arm_statistics(scene.rollout.id) == []


async def test_a_new_snapshot_ends_it(scene: Stage) -> None:
    leader = scene.controller("r1")
    scene.start()
    await ticks(scene, leader, 4)
    scene.served[0] = ServingSnapshot("data-2", {"bst": "3"})
    await ticks(scene, leader, 1)
    assert scene.rollout.phase is Phase.SUPERSEDED
    assert "data-2" in scene.rollout.reason


async def test_a_candidate_gone_from_triton_is_loaded_once_and_then_rolled_back(scene: Stage) -> None:
    leader = scene.controller("r1")
    scene.start()
    await ticks(scene, leader, 4)
    scene.candidate.gone = ["bst 1", "bst 2"]
    await ticks(scene, leader, 60)
    assert scene.rollout.phase is Phase.RUNNING, "a Triton that is down is no fault of the candidate"
    scene.candidate.gone = ["bst 2"]
    await ticks(scene, leader, 5)
    assert scene.rollout.phase is Phase.RUNNING
    await ticks(scene, leader, 30)
    assert scene.rollout.phase is Phase.ROLLED_BACK
    assert scene.candidate.loads == 1


async def test_unreadable_counts_are_an_error_that_rolls_back_in_the_end(scene: Stage) -> None:
    leader = scene.controller("r1")
    scene.start()
    await ticks(scene, leader, 4)
    force(scene, 1)
    counts = ArmCounts(scene.rollout.id, "r9")
    counts.arm(1, Arm.CANDIDATE)
    (row,) = counts.take_changed()
    scene.store.put_arm_statistics(scene.rollout.id, [type(row)("r9", 1, "candidate", b"junk")])
    await ticks(scene, leader, 10)
    assert scene.rollout.phase is Phase.RUNNING
    await ticks(scene, leader, 80)
    assert scene.rollout.phase is Phase.ROLLED_BACK
    assert "in error" in scene.rollout.reason


async def test_no_data_never_passes_and_the_deadline_ends_it(scene: Stage) -> None:
    leader = scene.controller("r1")
    scene.start()
    await ticks(scene, leader, 4)
    await ticks(scene, leader, 5, seconds=100.0)
    assert (scene.rollout.phase, scene.rollout.stage) == (Phase.RUNNING, 0)
    scene.now[0] += 1_000.0
    await ticks(scene, leader, 2)
    assert scene.rollout.phase is Phase.EXPIRED


def test_a_replica_out_of_touch_no_longer_asks_the_candidate(scene: Stage) -> None:
    replica = ReplicaRollouts(
        "bst", scene.store, scene.settings, "r1", RolloutMetrics(ProcessMetrics()), lambda: scene.now[0]
    )
    scene.start()
    change = transitions.prepared(scene.store.read("bst"), "r1", 1.0, "x")
    assert scene.store.compare_and_swap(change.record, change.entry)
    force(scene, 2)
    replica.adopt(scene.store.read("bst"))
    users = [f"shopper-{number}" for number in range(50)]

    def versions() -> set[str]:
        return {replica.assign(SERVED, user).versions["bst"] for user in users}

    assert versions() == {"1", "2"}
    other = ServingSnapshot("data-2", {"bst": "1"})
    assert {replica.assign(other, user).versions["bst"] for user in users} == {"1"}
    scene.now[0] += 2 * scene.settings.lease_s + 1
    assert versions() == {"1"}
