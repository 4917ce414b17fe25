"""Who is refused under overload, how soon and for how long; by simulation of an event loop."""

from __future__ import annotations

import random
from collections import deque
from contextlib import AbstractContextManager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.errors import OverloadError
from router.service.admission import Admission
from router.service.loop_load import WINDOW_S, LoopLoad, thread_busy_clock
from router.service.settings import AdmissionSettings


class Loop:
    """A thread's two clocks, set by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.busy = 0.0

    def work(self, seconds: float) -> None:
        self.now += seconds
        self.busy += seconds


def admission_on(loop: Loop, **changed: float) -> Admission:
    load = LoopLoad(lambda: loop.now, lambda: loop.busy)
    return Admission(AdmissionSettings.model_validate(changed), load, random.Random(7))


def fill(admission: Admission, loop: Loop, cost_s: float) -> None:
    """Keeps the loop full with calls of `cost_s` until it is known."""
    for _ in range(int(20 * WINDOW_S / cost_s)):
        with admission.admit():
            loop.work(cost_s)


def test_refuses_above_the_bound_and_frees_places() -> None:
    admission = admission_on(Loop(), max_concurrent=2, retry_at_least_s=0.7)
    with admission.admit(), admission.admit():
        with pytest.raises(OverloadError) as refused, admission.admit():
            pytest.fail("a third call was admitted")
        assert 0.35 <= refused.value.retry_after_s <= 1.05
        assert admission.in_progress == 2
    assert admission.in_progress == 0
    assert admission.refused == {"concurrency": 1, "deadline": 0}
    assert admission.admitted == 2


def test_a_failed_call_frees_its_place() -> None:
    admission = admission_on(Loop(), max_concurrent=1)
    with pytest.raises(KeyError), admission.admit():
        raise KeyError
    with admission.admit():
        assert admission.in_progress == 1


def test_a_call_that_cannot_make_it_is_refused_with_the_time_the_rest_takes() -> None:
    loop = Loop()
    admission = admission_on(loop)
    fill(admission, loop, 0.010)
    places = [admission.admit() for _ in range(20)]
    for place in places:
        place.__enter__()
    # Half of the time is for waiting.
    admission.require_time(0.45)
    with pytest.raises(
        OverloadError, match="20 requests in progress take 200 ms, 350 ms are left"
    ) as refused:
        admission.require_time(0.35)
    assert 0.1 <= refused.value.retry_after_s <= 0.3
    for place in places:
        place.__exit__(None, None, None)


def test_a_call_that_says_nothing_is_given_what_its_scene_may_take() -> None:
    admission = admission_on(Loop(), patience_s=2.0)
    assert admission.patience_s(None, 0.3) == 2.0
    assert admission.patience_s(None, 5.0) == 5.0
    assert admission.patience_s(0.1, 0.1) == 0.1


def test_a_call_whose_turn_comes_too_late_for_itself_is_refused() -> None:
    loop = Loop()
    admission = admission_on(loop)
    fill(admission, loop, 0.010)
    with admission.admit(), admission.admit():
        admission.require_own_time(0.0101, 1.0)
        with pytest.raises(OverloadError, match="took longer than foreseen, 5 ms are left"):
            admission.require_own_time(0.005, 1.0)


def test_a_call_whose_time_the_wait_used_up_is_refused_however_idle_the_loop_is_now() -> None:
    admission = admission_on(Loop())
    with admission.admit():
        with pytest.raises(OverloadError, match="took longer than foreseen, 0 ms are left"):
            admission.require_own_time(-0.1, 2.0)
        # It came too late: that is its caller's doing, and the pipeline says so.
        admission.require_own_time(-0.2, -0.1)


def test_time_in_which_calls_are_held_back_counts_as_busy_once() -> None:
    loop = Loop()
    load = LoopLoad(lambda: loop.now, lambda: loop.busy)
    for _ in range(400):
        with load.wanted_but_idle():
            loop.work(0.002)
            loop.now += 0.003
        loop.work(0.005)
        load.call_ended()
    assert load.utilisation == pytest.approx(1.0)
    assert load.cost_s == pytest.approx(0.010)


def test_a_hurried_call_is_tried_while_the_loop_has_time() -> None:
    loop = Loop()
    admission = admission_on(loop)
    for _ in range(200):
        with admission.admit():
            loop.work(0.005)
            # Waiting for a model costs the loop nothing.
            loop.now += 0.02
    with admission.admit(), admission.admit(), admission.admit():
        admission.require_time(0.001)


def test_a_call_that_is_alone_is_tried_whatever_its_time() -> None:
    loop = Loop()
    admission = admission_on(loop)
    fill(admission, loop, 0.5)
    with admission.admit():
        admission.require_time(0.001)


def test_idle_time_and_what_happens_in_it_belongs_to_no_call() -> None:
    loop = Loop()
    admission = admission_on(loop)
    fill(admission, loop, 0.01)
    loop.work(30.0)
    fill(admission, loop, 0.01)
    assert admission.retry_after_s() <= 0.15
    with admission.admit(), admission.admit():
        admission.require_time(0.0401)


@pytest.mark.slow
@settings(deadline=None, max_examples=25)
@given(
    cost_ms=st.floats(2, 20),
    deadline_ms=st.floats(200, 500),
    excess=st.floats(1.2, 6),
    seed=st.integers(0, 99),
)
def test_under_overload_the_admitted_make_their_deadline_and_the_loop_stays_full(
    cost_ms: float, deadline_ms: float, excess: float, seed: int
) -> None:
    """Poisson arrivals at `excess` times capacity, for 20 s; the loop takes one call after the other."""
    loop, chance = Loop(), random.Random(seed)
    admission = admission_on(loop)
    cost, deadline = cost_ms / 1_000, deadline_ms / 1_000
    queue: deque[tuple[float, AbstractContextManager[None]]] = deque()
    late = done = 0
    work_done = left = 0.0
    next_arrival = 0.0
    while loop.now < 20.0:
        step = min(left if queue else float("inf"), next_arrival - loop.now)
        if queue:
            loop.work(step)
            left -= step
            work_done += step
        else:
            loop.now += step
        if queue and left <= 1e-12:
            arrived, place = queue.popleft()
            place.__exit__(None, None, None)
            left = cost
            if loop.now > 5.0:
                done += 1
                late += loop.now - arrived > deadline
            continue
        next_arrival = loop.now + chance.expovariate(excess / cost)
        place = admission.admit()
        try:
            place.__enter__()
        except OverloadError:
            continue
        try:
            admission.require_time(deadline)
        except OverloadError as refused:
            place.__exit__(OverloadError, refused, None)
        else:
            if not queue:
                left = cost
            queue.append((loop.now, place))
    assert late <= 0.03 * done
    assert work_done > 0.75 * 20.0
    assert sum(admission.refused.values()) > 0


@given(st.integers(0, 200), st.floats(0.001, 1.0))
def test_the_delay_told_is_bounded(in_progress: int, cost_s: float) -> None:
    loop = Loop()
    admission = admission_on(loop, retry_at_least_s=0.1, retry_at_most_s=2.0)
    fill(admission, loop, cost_s)
    admission.in_progress = in_progress
    assert 0.05 <= admission.retry_after_s() <= 2.0


def test_the_busy_clock_counts_work_and_not_sleep() -> None:
    clock = thread_busy_clock()
    before = clock()
    total = sum(range(2_000_000))
    assert total
    assert clock() > before
