"""The circuit breaker by a clock that the test sets: what opens it, what it refuses, what closes it."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from pipeline.stages import DependencyError
from router.ranking.circuit_breaker import CircuitBreaker, NoAnswer
from router.ranking.settings import BreakerSettings

SETTINGS = BreakerSettings(timeouts=3, window_s=10.0, patience_ms=20.0, open_s=2.0)


class Calls:
    """A breaker, its clock, and what it reported."""

    def __init__(self, settings: BreakerSettings = SETTINGS) -> None:
        self.now = 0.0
        self.reported: list[tuple[str, str]] = []
        self.breaker = CircuitBreaker(settings, lambda: self.now, lambda *event: self.reported.append(event))

    def call(
        self,
        error: BaseException | None = None,
        seconds: float = 0.1,
        version: str = "1",
        request_id: str = "",
    ) -> bool:
        """One call that takes `seconds` and ends with `error` or an answer; whether it was let through."""
        asked = False
        caught: BaseException | None = None
        try:
            with self.breaker.call("bst", version, request_id):
                asked = True
                self.now += seconds
                if error is not None:
                    raise error
        except BaseException as raised:
            caught = raised
        assert caught is error if asked else type(caught) is DependencyError
        return asked

    def opened(self) -> bool:
        """Whether the circuit is open, by what was reported."""
        changes = [event for _, event in self.reported if event != "refused"]
        return changes[-1:] == ["opened"]


def opened() -> Calls:
    calls = Calls()
    for _ in range(SETTINGS.timeouts):
        assert calls.call(NoAnswer("silence"))
    assert calls.opened()
    return calls


@pytest.mark.parametrize("error", [NoAnswer("silence"), asyncio.CancelledError()])
def test_silence_several_times_in_a_row_opens(error: BaseException) -> None:
    calls = Calls()
    for _ in range(SETTINGS.timeouts):
        assert not calls.opened()
        assert calls.call(error)
    assert calls.opened()
    assert calls.reported == [("bst", "opened")]
    assert not calls.call()
    assert calls.reported == [("bst", "opened"), ("bst", "refused")]


@pytest.mark.parametrize("answer", [None, DependencyError("unavailable"), TypeError("a bug")])
def test_any_answer_begins_the_count_anew(answer: BaseException | None) -> None:
    calls = Calls()
    for error in [NoAnswer("1"), NoAnswer("2"), answer, NoAnswer("3"), NoAnswer("4")]:
        assert calls.call(error)
    assert not calls.opened()
    assert calls.call(NoAnswer("5"))
    assert calls.opened()


def test_the_calls_of_one_request_count_once() -> None:
    calls = Calls()
    for request_id in ["page", "page", "other", "page", "other", "page"]:
        assert calls.call(NoAnswer("silence"), request_id=request_id)
    assert not calls.opened()
    assert calls.call(NoAnswer("silence"), request_id="third")
    assert calls.opened()


def test_silence_spread_over_more_than_the_window_does_not_open() -> None:
    calls = Calls()
    for _ in range(20):
        assert calls.call(NoAnswer("silence"))
        calls.now += 5.1
    assert not calls.opened()


@pytest.mark.parametrize("error", [NoAnswer("in a hurry"), asyncio.CancelledError()])
def test_a_hurried_caller_proves_nothing(error: BaseException) -> None:
    calls = Calls()
    for _ in range(50):
        assert calls.call(error, seconds=0.019)
    assert not calls.opened()
    assert calls.call(NoAnswer("1"))
    assert calls.call(NoAnswer("2"))
    assert calls.call(error, seconds=0.019)
    assert calls.call(NoAnswer("3"))
    assert calls.opened()


def test_a_refusal_says_why_and_when_the_next_try_is() -> None:
    calls = opened()
    calls.now += 0.5
    refused = calls.breaker.call("bst", "1")
    with pytest.raises(DependencyError, match=r"bst version 1 is not asked.* next try follows in 1\.5 s"):
        refused.__enter__()


def test_an_answered_probe_closes() -> None:
    calls = opened()
    calls.now += SETTINGS.open_s
    assert calls.call()
    assert not calls.opened()
    assert calls.reported == [("bst", "opened"), ("bst", "closed")]
    assert calls.call()


def test_a_silent_probe_opens_for_as_long_again() -> None:
    calls = opened()
    calls.now += SETTINGS.open_s
    assert calls.call(NoAnswer("still"))
    calls.now += SETTINGS.open_s - 0.01
    assert not calls.call()
    calls.now += 0.02
    assert calls.call()
    assert not calls.opened()


def test_one_probe_at_a_time() -> None:
    calls = opened()
    calls.now += SETTINGS.open_s
    probe, second = calls.breaker.call("bst", "1"), calls.breaker.call("bst", "1")
    probe.__enter__()
    with pytest.raises(DependencyError, match="the next try is under way"):
        second.__enter__()
    probe.__exit__(None, None, None)
    assert not calls.opened()


def test_a_probe_given_up_early_makes_room_for_the_next() -> None:
    calls = opened()
    calls.now += SETTINGS.open_s
    assert calls.call(asyncio.CancelledError(), seconds=0.001)
    assert calls.opened()
    assert calls.call()
    assert not calls.opened()


def test_a_late_answer_of_a_call_from_before_closes() -> None:
    calls = Calls()
    early = calls.breaker.call("bst", "1")
    early.__enter__()
    for _ in range(SETTINGS.timeouts):
        calls.call(NoAnswer("silence"))
    assert calls.opened()
    early.__exit__(None, None, None)
    assert not calls.opened()


def test_versions_have_circuits_of_their_own() -> None:
    calls = opened()
    assert calls.call(version="2")
    assert not calls.call(version="1")


def test_a_version_that_answers_again_lets_the_others_try() -> None:
    calls = opened()
    for _ in range(SETTINGS.timeouts):
        assert calls.call(NoAnswer("silence"), version="2")
    calls.now = SETTINGS.timeouts * 0.1 + SETTINGS.open_s
    assert not calls.call(version="2"), "its own pause is not over"
    assert calls.call(version="1")
    assert calls.call(NoAnswer("silence"), version="2")
    assert not calls.call(version="2"), "a silent probe begins a pause of its own"
    assert calls.call(version="1")
    assert not calls.call(version="2"), "a version that was well all along tells nothing new"


def test_it_can_be_switched_off() -> None:
    calls = Calls(BreakerSettings(timeouts=0))
    for _ in range(50):
        assert calls.call(NoAnswer("silence"))


class AnyCourse(RuleBasedStateMachine):
    """Calls that overlap in any way, against what is promised of them."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = Calls()
        self.running: list[tuple[AbstractContextManager[None], float, bool]] = []
        self.silent_in_a_row = 0
        self.last_silence = -1e9

    @rule(seconds=st.sampled_from([0.001, 0.05, 1.0, 2.5]))
    def time_passes(self, seconds: float) -> None:
        self.calls.now += seconds

    @rule()
    def begin(self) -> None:
        was_open = self.calls.opened()
        call = self.calls.breaker.call("bst", "1")
        probing = any(probe for _, _, probe in self.running)
        try:
            call.__enter__()
        except DependencyError:
            assert was_open
            assert self.silent_in_a_row >= SETTINGS.timeouts
            assert probing or self.calls.now < self.last_silence + SETTINGS.open_s
        else:
            assert not (was_open and probing)
            self.running.append((call, self.calls.now, was_open))

    @precondition(lambda self: self.running)
    @rule(data=st.data(), end=st.sampled_from(["answer", "error", "silence", "cancelled"]))
    def end(self, data: st.DataObject, end: str) -> None:
        call, began, probe = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        errors = {
            "error": DependencyError("down"),
            "silence": NoAnswer(""),
            "cancelled": asyncio.CancelledError(),
        }
        error = errors.get(end)
        assert not call.__exit__(type(error) if error else None, error, None)
        if end in ("answer", "error"):
            self.silent_in_a_row = 0
            # Whoever was a probe is now one of many.
            self.running = [(other, at, False) for other, at, _ in self.running]
            assert not self.calls.opened()
        elif self.calls.now - began >= SETTINGS.patience_ms / 1000:
            if probe or not self.calls.opened() or self.silent_in_a_row < SETTINGS.timeouts:
                self.last_silence = self.calls.now
            self.silent_in_a_row += 1


AnyCourse.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestAnyCourse = AnyCourse.TestCase
