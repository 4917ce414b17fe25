"""Whose turn it is on the event loop, whatever calls come, wait for others, fail or are given up."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.trace import Clock
from router.service.compute_limiter import LONGEST_HOLD_S, PAUSE_S, ComputeLimiter, ComputeSlot


class Loop:
    """What a limiter asks about its loop, set by hand."""

    def __init__(self) -> None:
        self.full = False
        self.arrived = 0
        self.now = 0.0

        self.holding = 0

    def limiter(self, most_working: int, clock: Clock | None = None) -> ComputeLimiter:
        """Time stands still but for the test, or goes by `clock`."""
        return ComputeLimiter(
            most_working,
            lambda: self.full,
            lambda: self.arrived,
            clock or (lambda: self.now),
            self._held,
        )

    @contextmanager
    def _held(self) -> Iterator[None]:
        self.holding += 1
        yield
        self.holding -= 1


async def turns_of_the_loop(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def waiting(limiter: ComputeLimiter) -> asyncio.Task[ComputeSlot]:
    task = asyncio.ensure_future(limiter.acquire())
    await turns_of_the_loop(1)
    return task


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(30):
            await test()

    asyncio.run(bounded())


def test_calls_begin_in_the_order_they_came_and_only_so_many_at_once() -> None:
    async def test() -> None:
        limiter = Loop().limiter(2)
        first, second = await limiter.acquire(), await limiter.acquire()
        later = [await waiting(limiter) for _ in range(3)]
        assert (limiter.working, limiter.waiting) == (2, 3)
        first.release()
        await turns_of_the_loop(3)
        assert [task.done() for task in later] == [True, False, False]
        second.release()
        later[0].result().release()
        await turns_of_the_loop(3)
        assert [task.done() for task in later] == [True, True, True]
        for task in later[1:]:
            task.result().release()
        assert (limiter.working, limiter.waiting) == (0, 0)

    run(test)


def test_a_newcomer_does_not_overtake_who_waits() -> None:
    async def test() -> None:
        limiter = Loop().limiter(1)
        first = await limiter.acquire()
        patient = await waiting(limiter)
        first.release()
        newcomer = await waiting(limiter)
        await turns_of_the_loop(3)
        assert patient.done()
        assert not newcomer.done()
        patient.result().release()
        (await newcomer).release()

    run(test)


def test_while_one_waits_for_an_answer_from_elsewhere_another_computes() -> None:
    async def test() -> None:
        limiter = Loop().limiter(1)
        first = await limiter.acquire()
        second = await waiting(limiter)
        with first.released_while(), first.released_while():
            await turns_of_the_loop(3)
            assert second.done()
            assert limiter.working == 1
        # Nobody who has begun waits again.
        assert limiter.working == 2
        first.release()
        second.result().release()
        assert limiter.working == 0

    run(test)


def test_what_goes_on_after_the_end_of_a_turn_belongs_to_none() -> None:
    async def test() -> None:
        limiter = Loop().limiter(1)
        slot = await limiter.acquire()
        with slot.released_while():
            slot.release()
            assert limiter.working == 0
        assert limiter.working == 0
        with slot.released_while():
            assert limiter.working == 0

    run(test)


def test_a_task_releases_the_slot_of_the_call_it_works_for() -> None:
    async def test() -> None:
        limiter = Loop().limiter(1)
        with limiter.released_while():
            assert limiter.working == 0

        async def part() -> int:
            with limiter.released_while():
                await turns_of_the_loop(1)
                return limiter.working

        slot = await limiter.acquire()
        assert await asyncio.gather(part(), part()) == [0, 0]
        assert limiter.working == 1
        slot.release()
        assert await asyncio.create_task(part()) == 0

    run(test)


def test_on_a_full_loop_a_call_waits_until_nobody_comes_any_more() -> None:
    async def test() -> None:
        loop = Loop()
        loop.full = True
        limiter = loop.limiter(1)
        task = await waiting(limiter)
        for _ in range(10):
            loop.arrived += 1
            loop.now += PAUSE_S / 2
            await asyncio.sleep(PAUSE_S)
            assert not task.done()
            assert loop.holding == 1
        loop.now += PAUSE_S
        (await task).release()
        assert loop.holding == 0

    run(test)


def test_arrivals_that_never_pause_do_not_hold_a_call_back_forever() -> None:
    async def test() -> None:
        loop = Loop()
        loop.full = True
        limiter = loop.limiter(1)
        task = await waiting(limiter)
        while loop.now < 2 * LONGEST_HOLD_S and not task.done():
            loop.arrived += 1
            loop.now += PAUSE_S / 2
            await asyncio.sleep(PAUSE_S)
        assert task.done()
        (await task).release()

    run(test)


def test_who_gives_up_at_the_moment_of_the_turn_passes_it_on() -> None:
    async def test() -> None:
        limiter = Loop().limiter(1)
        first = await limiter.acquire()
        gives_up = await waiting(limiter)
        last = await waiting(limiter)
        first.release()
        gives_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gives_up
        (await last).release()
        assert (limiter.working, limiter.waiting) == (0, 0)

    run(test)


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32),
    calls=st.integers(1, 40),
    most_working=st.integers(1, 4),
    full=st.booleans(),
)
def test_every_turn_is_given_back_whatever_happens(
    seed: int, calls: int, most_working: int, full: bool
) -> None:
    """Calls that compute, wait for others, fail and are cancelled at any moment."""

    async def test() -> None:
        chance = random.Random(seed)
        loop = Loop()
        loop.full = full
        limiter = loop.limiter(most_working, time.monotonic)

        async def call() -> None:
            loop.arrived += 1
            slot = await limiter.acquire()
            try:
                for _ in range(chance.randrange(4)):
                    if chance.random() < 0.5:
                        with slot.released_while():
                            await turns_of_the_loop(chance.randrange(4))
                    else:
                        await asyncio.sleep(0)
                if chance.random() < 0.2:
                    raise KeyError
            finally:
                slot.release()

        tasks = []
        for _ in range(calls):
            tasks.append(asyncio.ensure_future(call()))
            await turns_of_the_loop(chance.randrange(3))
            if chance.random() < 0.3:
                chance.choice(tasks).cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # Places given up are passed over when their turn comes: one who enters behind them gets it.
        (await limiter.acquire()).release()
        assert (limiter.working, limiter.waiting) == (0, 0)

    run(test)
