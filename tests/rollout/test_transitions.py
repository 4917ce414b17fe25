"""What may happen to a record, whatever operators, judge and clock do."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from rollout import transitions
from rollout.errors import TransitionNotAllowed
from rollout.record import ACTIVE, WHOLE, ModelRecord, Phase
from rollout.transitions import Change, StageAssessment
from tests.rollout.plans import DATASET, PLAN, running, started

GRACE_S = 5.0
PASS = StageAssessment(100, "pass", "good")


def judged(record: ModelRecord, assessment: StageAssessment, now: float) -> Change | None:
    return transitions.apply_assessment(record, assessment, GRACE_S, "leader", now)


def test_a_stage_ends_with_its_time_its_samples_and_a_pass() -> None:
    record = running(stage=1)
    assert record.rollout is not None
    since = record.rollout.stage_since
    assert judged(record, PASS, since + 9.9) is None
    assert judged(record, StageAssessment(4, "pass", "good"), since + 20) is None
    assert judged(record, StageAssessment(100, "inconclusive", "too few"), since + 500) is None
    moved = judged(record, PASS, since + 10)
    assert moved is not None
    assert (moved.entry.event, moved.record.rollout.weight_bp) == ("advanced", 5_000)  # type: ignore[union-attr]


@pytest.mark.parametrize("paused", [False, True])
def test_a_failure_rolls_back_at_once(paused: bool) -> None:
    record = running(stage=2)
    if paused:
        record = transitions.pause(record, "ann", 1.0, "").record
    change = judged(record, StageAssessment(0, "fail", "latency: twice as slow"), 2_000.0)
    assert change is not None
    assert change.record.rollout is not None
    assert (change.record.rollout.phase, change.record.rollout.weight_bp) == (Phase.ROLLED_BACK, 0)
    assert "twice as slow" in change.record.rollout.reason


def test_an_error_is_waited_out_and_then_rolls_back() -> None:
    record = running(stage=1)
    assert judged(record, StageAssessment(0, "error", "unreadable", error_since=100.0), 104.0) is None
    change = judged(record, StageAssessment(0, "error", "unreadable", error_since=100.0), 106.0)
    assert change is not None
    assert change.record.active is None


def test_the_last_stage_promotes_and_settling_ends_by_itself() -> None:
    record = running(stage=3)
    promoted = judged(record, PASS, 10_000.0)
    assert promoted is not None
    assert promoted.record.stable_version(DATASET, 1) == 2
    assert promoted.record.stable_version("other", 1) == 1
    assert promoted.record.stable_version(DATASET, 3) == 3
    assert transitions.timed(promoted.record, "leader", 10_019.0) is None
    settled = transitions.timed(promoted.record, "leader", 10_020.0)
    assert settled is not None
    assert settled.record.rollout is not None
    assert settled.record.rollout.phase is Phase.PROMOTED
    assert settled.record.stable_version(DATASET, 1) == 2


def test_an_abort_while_it_settles_takes_the_promotion_back() -> None:
    first = transitions.promote(running(), "ann", 50.0, "").record
    assert transitions.abort(first, "ann", 51.0, "").record.stable_version(DATASET, 1) == 1
    settled = transitions.timed(first, "leader", 100.0)
    assert settled is not None
    again = started(settled.record, id="bst-2-3-bb", stable=2, candidate=3, now=200.0).record
    again = transitions.prepared(again, "leader", 201.0, "").record
    second = transitions.promote(again, "ann", 202.0, "").record
    assert second.stable_version(DATASET, 1) == 3
    assert transitions.abort(second, "ann", 203.0, "").record.stable_version(DATASET, 1) == 2


def test_the_deadline_ends_what_is_not_promoted() -> None:
    for record in (started().record, running(), transitions.pause(running(), "ann", 1.0, "").record):
        change = transitions.timed(record, "leader", PLAN.deadline_s)
        assert change is not None
        assert change.record.rollout is not None
        assert change.record.rollout.phase is Phase.EXPIRED
        assert transitions.timed(record, "leader", PLAN.deadline_s - 1) is None


class Operated(RuleBasedStateMachine):
    """Any sequence of what operators, the leader, the judge and time may do."""

    def __init__(self) -> None:
        super().__init__()
        self.record = ModelRecord("bst")
        self.now = 1.0
        self.changes: list[Change] = []
        self.ids = 0
        self.largest_stage: dict[str, int] = {}

    def make(self, change: Change | None) -> None:
        if change is None:
            return
        before = self.record.rollout
        assert change.record.generation == self.record.generation + 1
        assert change.entry.generation == change.record.generation
        after = change.record.rollout
        assert after is not None
        if before is not None and not before.active:
            assert after.id != before.id, "an ended rollout changed"
        if before is not None and before.active:
            assert after.id == before.id, "a second rollout began beside an active one"
        self.record = change.record
        self.changes.append(change)

    def attempt(self, change: object) -> None:
        with suppress(TransitionNotAllowed):
            self.make(change())  # type: ignore[operator]

    @rule(seconds=st.floats(0.0, 400.0))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def start(self) -> None:
        self.ids += 1
        stable = self.record.stable_version(DATASET, 1)
        active = self.record.active

        def begin() -> Change:
            return started(
                self.record, id=f"r{self.ids}", now=self.now, stable=stable, candidate=self.ids + 10
            )

        if active is None:
            self.make(begin())
        else:
            with pytest.raises(TransitionNotAllowed) as refused:
                begin()
            assert refused.value.rollout == active.id

    @rule(fit=st.booleans())
    def prepare(self, fit: bool) -> None:
        move = transitions.prepared if fit else transitions.refused
        self.attempt(lambda: move(self.record, "leader", self.now, "x"))

    @precondition(lambda self: self.record.active is not None)
    @rule(
        samples=st.integers(0, 20),
        verdict=st.sampled_from(["pass", "fail", "inconclusive", "error"]),
        error_s=st.floats(0.0, 10.0),
    )
    def judge(self, samples: int, verdict: transitions.Verdict, error_s: float) -> None:
        since = self.now - error_s if verdict == "error" else None
        before = self.record.rollout
        assert before is not None
        self.attempt(lambda: judged(self.record, StageAssessment(samples, verdict, "x", since), self.now))
        after = self.record.rollout
        if before.phase is Phase.RUNNING and after is not None and after.stage > before.stage:
            assert verdict == "pass"
            assert not before.paused
            assert samples >= before.stage_plan.min_samples
            assert self.now - before.stage_since >= before.stage_plan.min_duration_s

    @rule()
    def look_at_the_clock(self) -> None:
        self.make(transitions.timed(self.record, "leader", self.now))

    @rule(what=st.sampled_from(["pause", "resume", "promote", "abort"]))
    def operate(self, what: str) -> None:
        self.attempt(lambda: getattr(transitions, what)(self.record, "ann", self.now, "because"))

    @rule()
    def new_snapshot(self) -> None:
        self.attempt(lambda: transitions.superseded(self.record, "leader", self.now, "new data"))

    @rule(epoch=st.integers(1, 5))
    def new_leader(self, epoch: int) -> None:
        self.attempt(lambda: transitions.take_lead(self.record, epoch, "leader", self.now))

    @invariant()
    def weights_never_exceed_the_stage(self) -> None:
        rollout = self.record.rollout
        if rollout is None:
            return
        if rollout.phase is Phase.RUNNING:
            assert rollout.weight_bp == rollout.plan.stages[rollout.stage].weight_bp
        elif rollout.phase is Phase.SETTLING:
            assert rollout.weight_bp == WHOLE
        else:
            assert rollout.weight_bp == 0

    @invariant()
    def an_end_has_a_time_and_a_reason(self) -> None:
        rollout = self.record.rollout
        if rollout is not None:
            assert (rollout.phase in ACTIVE) == rollout.active
            assert rollout.active == (rollout.ended_at == 0.0)
            assert rollout.reason

    @invariant()
    def the_history_tells_of_every_generation(self) -> None:
        assert [change.entry.generation for change in self.changes] == list(
            range(1, self.record.generation + 1)
        )

    @invariant()
    def only_what_was_promoted_serves(self) -> None:
        stable = self.record.stable_version(DATASET, 1)
        promoted = {
            change.record.rollout.candidate
            for change in self.changes
            if change.entry.event == "promoted" and change.record.rollout is not None
        }
        assert stable == 1 or stable in promoted


TestOperated = Operated.TestCase
TestOperated.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
