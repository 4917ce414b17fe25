"""Shoppers that share a call of the scoring model get the scores of a call alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.stages import DependencyError
from router.ranking.circuit_breaker import NoAnswer
from router.ranking.shared_calls import MOST_CANDIDATES, Inputs, Scores, SharedCalls, joined

PATIENT_S = 5.0


def shopper(number: int, count: int = 3) -> dict[str, np.ndarray]:
    """Inputs of a shopper with its own candidates."""
    return {
        "history_item": np.full((1, 4), number, np.int32),
        "candidate_item": np.arange(count, dtype=np.int32) + 10 * number,
        "candidate_row": np.zeros(count, np.int32),
    }


def scores_of(inputs: Inputs) -> Scores:
    """What the model answers: of the shopper and the candidate."""
    history = inputs["history_item"][inputs["candidate_row"], 0]
    return np.asarray(1_000 * history + inputs["candidate_item"], np.float32)


@dataclass
class Model:
    """Answers calls when it is let; keeps how many shoppers each had."""

    shoppers: list[int] = field(default_factory=list)
    gates: list[asyncio.Event] = field(default_factory=list)
    failure: Callable[[Inputs], Exception | None] = lambda inputs: None

    async def call(self, inputs: Inputs, timeout_s: float) -> Scores:
        self.shoppers.append(len(inputs["history_item"]))
        gate = asyncio.Event()
        self.gates.append(gate)
        await gate.wait()
        failure = self.failure(inputs)
        if failure is not None:
            raise failure
        return scores_of(inputs)

    async def let(self, number: int) -> None:
        """Lets call `number` end, counted from 0 in the order they were made."""
        for _ in range(1_000):
            if len(self.gates) > number:
                break
            await asyncio.sleep(0.001)
        self.gates[number].set()


def started(work: Sequence[Awaitable[Scores]]) -> list[asyncio.Future[Scores]]:
    return [asyncio.ensure_future(each) for each in work]


async def turns() -> None:
    """Lets everybody run that can."""
    for _ in range(20):
        await asyncio.sleep(0)


def asking(
    calls: SharedCalls, model: Model, inputs: Sequence[Inputs], timeout_s: float = PATIENT_S
) -> list[asyncio.Future[Scores]]:
    return started([calls.score("bst", "1", each, timeout_s, model.call) for each in inputs])


async def test_those_that_come_while_a_call_is_under_way_go_together() -> None:
    calls, model = SharedCalls(8, PATIENT_S), Model()
    asked = [shopper(number, number + 1) for number in range(4)]
    answers = asking(calls, model, asked)
    await turns()
    assert model.shoppers == [1]
    await model.let(0)
    await model.let(1)
    for inputs, scores in zip(asked, await asyncio.gather(*answers), strict=True):
        np.testing.assert_array_equal(scores, scores_of(inputs))
    assert model.shoppers == [1, 3]


async def test_versions_do_not_wait_for_each_other() -> None:
    calls, model = SharedCalls(8, PATIENT_S), Model()
    answers = started(
        [calls.score("bst", version, shopper(1), PATIENT_S, model.call) for version in ("1", "2")]
    )
    await turns()
    assert model.shoppers == [1, 1]
    await model.let(0)
    await model.let(1)
    await asyncio.gather(*answers)


async def test_no_call_has_more_shoppers_or_candidates_than_it_may() -> None:
    calls, model = SharedCalls(3, PATIENT_S), Model()
    many = MOST_CANDIDATES // 2
    sizes = [1, 1, 1, 1, many, many, 1]
    asked = [shopper(number, size) for number, size in enumerate(sizes)]
    answers = asking(calls, model, asked)
    for number in range(4):
        await model.let(number)
    for inputs, scores in zip(asked, await asyncio.gather(*answers), strict=True):
        np.testing.assert_array_equal(scores, scores_of(inputs))
    assert model.shoppers == [1, 3, 2, 1]


async def test_nobody_waits_longer_for_a_call_than_the_bound() -> None:
    calls, model = SharedCalls(8, 0.001), Model()
    asked = [shopper(number) for number in range(3)]
    answers = asking(calls, model, asked)
    # The first call hangs.
    await model.let(1)
    assert [len(each) for each in await asyncio.gather(*answers[1:])] == [3, 3]
    assert model.shoppers == [1, 2]
    await model.let(0)
    await answers[0]


async def test_where_the_one_that_makes_a_shared_call_leaves_the_others_are_answered() -> None:
    calls, model = SharedCalls(8, PATIENT_S), Model()
    asked = [shopper(number) for number in range(4)]
    answers = asking(calls, model, asked)
    await model.let(0)
    await turns()
    assert model.shoppers == [1, 3]
    answers[1].cancel()
    for number in (2, 3):
        await model.let(number)
    for number in (2, 3):
        np.testing.assert_array_equal(await answers[number], scores_of(asked[number]))
    with pytest.raises(asyncio.CancelledError):
        await answers[1]


async def test_one_that_leaves_while_it_waits_is_left_out() -> None:
    calls, model = SharedCalls(8, PATIENT_S), Model()
    answers = asking(calls, model, [shopper(number) for number in range(3)])
    await turns()
    answers[1].cancel()
    await model.let(0)
    await model.let(1)
    np.testing.assert_array_equal(await answers[2], scores_of(shopper(2)))
    assert model.shoppers == [1, 1]


async def test_one_told_to_call_that_has_just_left_hands_that_on() -> None:
    calls, model = SharedCalls(8, PATIENT_S), Model()
    answers = asking(calls, model, [shopper(number) for number in range(3)])
    await turns()
    model.gates[0].set()
    for _ in range(100):
        if answers[0].done():
            break
        await asyncio.sleep(0)
    # The second has been told, and has not run yet.
    answers[1].cancel()
    await model.let(1)
    np.testing.assert_array_equal(await answers[2], scores_of(shopper(2)))


async def test_what_one_shopper_breaks_fails_for_that_one_alone() -> None:
    def broken(inputs: Inputs) -> Exception | None:
        return DependencyError("item 20") if 20 in inputs["candidate_item"] else None

    calls, model = SharedCalls(8, PATIENT_S), Model(failure=broken)
    answers = asking(calls, model, [shopper(number) for number in range(4)])
    for number in range(5):
        await model.let(number)
    for number in (0, 1, 3):
        np.testing.assert_array_equal(await answers[number], scores_of(shopper(number)))
    with pytest.raises(DependencyError, match="item 20"):
        await answers[2]


async def test_a_shared_call_that_goes_unanswered_is_not_repeated() -> None:
    calls, model = SharedCalls(8, PATIENT_S), Model(failure=lambda inputs: NoAnswer("late"))
    answers = asking(calls, model, [shopper(number) for number in range(3)])
    await model.let(0)
    await model.let(1)
    for answer in answers:
        with pytest.raises(NoAnswer, match="late"):
            await answer
    assert model.shoppers == [1, 2]


async def test_with_one_shopper_to_a_call_nobody_waits() -> None:
    calls, model = SharedCalls(1, PATIENT_S), Model()
    answers = asking(calls, model, [shopper(number) for number in range(3)])
    await turns()
    assert model.shoppers == [1, 1, 1]
    for number in range(3):
        await model.let(number)
    await asyncio.gather(*answers)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(0, 3), st.booleans()), min_size=1, max_size=12),
    st.integers(1, 4),
)
def test_whoever_stays_gets_its_own_scores(arrivals: list[tuple[int, int, bool]], most: int) -> None:
    """Arrivals: candidates, turns of the loop before it comes, and whether it leaves soon."""

    async def all_of_them() -> None:
        calls = SharedCalls(most, 0.0005)

        async def call(inputs: Inputs, timeout_s: float) -> Scores:
            for _ in range(3):
                await asyncio.sleep(0)
            return scores_of(inputs)

        staying, leaving = [], []
        for number, (count, pause, leaves) in enumerate(arrivals):
            inputs = shopper(number, count)
            asked = asyncio.ensure_future(calls.score("bst", "1", inputs, PATIENT_S, call))
            for _ in range(pause):
                await asyncio.sleep(0)
            if leaves:
                asked.cancel()
                leaving.append(asked)
            else:
                staying.append((inputs, asked))
        for inputs, asked in staying:
            np.testing.assert_array_equal(await asyncio.wait_for(asked, 5.0), scores_of(inputs))
        await asyncio.gather(*leaving, return_exceptions=True)

    asyncio.run(all_of_them())


def test_joined_inputs_keep_each_shopper_apart() -> None:
    both = joined([shopper(1, 2), shopper(2, 3)])
    assert both["candidate_row"].dtype == np.int32
    assert both["candidate_row"].tolist() == [0, 0, 1, 1, 1]
    assert both["history_item"].shape == (2, 4)
    assert both["candidate_item"].tolist() == [10, 11, 20, 21, 22]
