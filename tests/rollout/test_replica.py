"""What one replica counts of its arms, and what it hands on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from pipeline.candidates import unscored
from recall.rollout_ticket import RolloutTicket
from rollout import transitions
from rollout.arms import Arm
from rollout.counting import StageCounts, sum_counts
from rollout.lmdb_store import LmdbRolloutStore
from rollout.metrics import RolloutMetrics
from rollout.replica import ReplicaRollouts, ServingSnapshot
from rollout.settings import RolloutSettings
from tests.rollout.plans import DATASET, running

SERVED = ServingSnapshot(DATASET, {"bst": "1"})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LmdbRolloutStore]:
    """A store whose rollout is in its second stage, at 1 %."""
    opened = LmdbRolloutStore(tmp_path / "rollouts")
    yield opened
    opened.close()


def replica(store: LmdbRolloutStore, name: str = "r1", stage: int = 2) -> ReplicaRollouts:
    """A replica that follows a rollout in its stage of 50 %."""
    made = ReplicaRollouts("bst", store, RolloutSettings(), name, RolloutMetrics(ProcessMetrics()))
    made.adopt(running(stage))
    return made


def one_of(made: ReplicaRollouts, arm: Arm) -> tuple[str, RolloutTicket]:
    """A shopper of an arm, and how they are answered."""
    for number in range(1_000):
        user = f"shopper-{number}"
        ticket = made.assign(SERVED, user).ticket
        if ticket is not None and ticket.arm == arm:
            return user, ticket
    raise AssertionError(f"nobody is in {arm}")


def handed_on(store: LmdbRolloutStore, stage: int = 2) -> StageCounts:
    """What the store has of a stage."""
    return sum_counts(store.read_arm_statistics("bst-1-2-aa"), [stage])


async def test_answers_and_feedback_are_counted_by_arm_and_handed_on(store: LmdbRolloutStore) -> None:
    made = replica(store)
    user, ticket = one_of(made, Arm.CANDIDATE)
    ids = np.arange(1, 4, dtype=np.int32)
    part = unscored(ids, np.ones(3, np.uint32), np.ones(3, np.float32), np.zeros(3, np.int32))
    ticket.keep(part, np.array([0.1, 0.5, 0.9], np.float32), 2.0)
    made.answered(ticket, user, 12.0, shown=10, page_size=10, degraded=())
    other, baseline = one_of(made, Arm.BASELINE)
    made.answered(baseline, other, 9.0, shown=8, page_size=10, degraded=("channel:mind",))
    made.failed(baseline, other, 3.0)
    arms = {"bst-1-2-aa": "candidate", "other-experiment": "b"}
    for _ in range(2):
        made.feedback(arms, "request-1", user, "i1", bought=False)
    made.feedback(arms, "request-1", user, "i1", bought=True)
    made.feedback({"bst-1-9-zz": "candidate"}, "request-2", user, "i1", bought=True)
    for request, satisfied in (("request-1", False), ("request-1", False), ("request-3", True)):
        made.rated(arms, request, user, satisfied=satisfied)
    made.rated({"bst-1-9-zz": "candidate"}, "request-4", user, satisfied=False)
    await made._write_counts()
    found = handed_on(store)
    assert [found.candidate.total(name) for name in ("ratings", "dissatisfied")] == [2, 1]
    assert found.baseline.total("ratings") == 0
    totals = {
        name: found.candidate.total(name)  # type: ignore[arg-type]
        for name in ("requests", "impressions", "clicks", "conversions", "degraded")
    }
    assert totals == {"requests": 1, "impressions": 10, "clicks": 1, "conversions": 1, "degraded": 0}
    assert int(found.candidate.scores.sum()) == 3
    assert [found.baseline.total(name) for name in ("requests", "degraded", "short", "errors")] == [
        2,
        1,
        1,
        1,
    ]


async def test_what_two_replicas_counted_adds_up_and_is_written_again_only_where_it_changed(
    store: LmdbRolloutStore,
) -> None:
    for name in ("r1", "r2"):
        made = replica(store, name)
        user, ticket = one_of(made, Arm.CANDIDATE)
        made.answered(ticket, user, 5.0, shown=1, page_size=1, degraded=())
        await made._write_counts()
        assert made.counts is not None
        assert made.counts.take_changed() == []
    assert handed_on(store).candidate.requests == 2


def test_scores_that_were_rejected_reach_the_judge(store: LmdbRolloutStore) -> None:
    made = replica(store)
    user, ticket = one_of(made, Arm.CANDIDATE)
    ticket.begin_part()
    ticket.rejected.append(np.array([np.nan, 0.5], np.float32))
    ticket.failure = "1 of 2 scores are not finite"
    made.answered(ticket, user, 5.0, shown=1, page_size=1, degraded=("ranking:candidate",))
    assert made.counts is not None
    assert made.counts.arm(2, Arm.CANDIDATE).scores_not_finite == 1


def test_an_outage_of_all_does_not_count_against_a_candidate_without_a_baseline(
    store: LmdbRolloutStore,
) -> None:
    made = replica(store, stage=3)
    user, ticket = one_of(made, Arm.CANDIDATE)
    ticket.begin_part()
    ticket.failure = "Triton is down"
    made.answered(ticket, user, 5.0, shown=1, page_size=1, degraded=("ranking", "ranking:candidate"))
    assert made.counts is not None
    arm = made.counts.arm(3, Arm.CANDIDATE)
    assert (arm.requests, arm.total("degraded")) == (1, 0)
    made.answered(ticket, user, 5.0, shown=1, page_size=1, degraded=("ranking:candidate",))
    assert arm.total("degraded") == 1


def test_a_promotion_holds_for_its_snapshot_and_in_shadow_a_share_is_copied(store: LmdbRolloutStore) -> None:
    made = replica(store, stage=0)
    copied = [made.assign(SERVED, f"u{number}") for number in range(100)]
    assert sum(each.ticket is not None for each in copied) in (9, 10)
    assert all(each.versions["bst"] == "1" and not each.arms for each in copied)
    promoted = transitions.promote(made.record, "ann", 1.0, "").record
    settled = transitions.timed(promoted, "r1", 1_000.0)
    assert settled is not None
    made.adopt(settled.record)
    assert made.assign(SERVED, "u1").versions == {"bst": "2"}
    assert made.assign(ServingSnapshot(DATASET, {"bst": "3"}), "u1").versions == {"bst": "3"}
    made.adopt(running(0))
    assert made.record is settled.record, "an older record was taken over"
