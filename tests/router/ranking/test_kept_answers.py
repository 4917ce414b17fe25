"""Answers kept: the same as the model's, shared, bounded, and never a failure."""

import asyncio
from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.stages import DependencyError
from router.ranking.kept_answers import KeptAnswers


class CountedModel:
    """Doubles its input, counts its calls, and fails or waits where it is told to."""

    def __init__(self) -> None:
        self.calls = 0
        self.failures = 0
        self.answers = asyncio.Event()
        self.answers.set()

    async def __call__(self, history: NDArray[np.int32]) -> Mapping[str, NDArray[np.int32]]:
        self.calls += 1
        await self.answers.wait()
        if self.failures:
            self.failures -= 1
            raise DependencyError("the model is down")
        return {"interests": history * 2}


def asked(*items: int) -> NDArray[np.int32]:
    return np.array(items, np.int32)


async def interests(
    kept: KeptAnswers, model: CountedModel, history: NDArray[np.int32], version: str = "1"
) -> list[int]:
    answer = await kept.of("mind", version, {"history": history}, lambda: model(history))
    assert not answer["interests"].flags.writeable
    found: list[int] = answer["interests"].tolist()
    return found


async def test_the_same_is_asked_once_and_anything_else_again() -> None:
    kept, model = KeptAnswers(10), CountedModel()
    assert await interests(kept, model, asked(1, 2)) == [2, 4]
    assert await interests(kept, model, asked(1, 2)) == [2, 4]
    assert model.calls == 1
    # Another event, another version, and the same bytes in another shape are other questions.
    assert await interests(kept, model, asked(3, 1, 2)) == [6, 2, 4]
    assert await interests(kept, model, asked(1, 2), version="2") == [2, 4]
    await kept.of("mind", "1", {"history": asked(1, 2)[None]}, lambda: model(asked(1, 2)))
    assert model.calls == 4


async def test_requests_at_the_same_time_share_a_call() -> None:
    kept, model = KeptAnswers(10), CountedModel()
    model.answers.clear()
    waiting = [asyncio.ensure_future(interests(kept, model, asked(5))) for _ in range(3)]
    await asyncio.sleep(0)
    model.answers.set()
    assert await asyncio.gather(*waiting) == [[10]] * 3
    assert model.calls == 1


async def test_a_failure_is_not_kept_and_not_shared() -> None:
    kept, model = KeptAnswers(10), CountedModel()
    model.failures = 1
    model.answers.clear()
    waiting = [asyncio.ensure_future(interests(kept, model, asked(5))) for _ in range(2)]
    await asyncio.sleep(0)
    model.answers.set()
    first, second = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(first, DependencyError)
    assert second == [10]
    assert model.calls == 2


async def test_a_request_that_gives_up_does_not_take_the_others_with_it() -> None:
    kept, model = KeptAnswers(10), CountedModel()
    model.answers.clear()
    first, second, third = (asyncio.ensure_future(interests(kept, model, asked(5))) for _ in range(3))
    await asyncio.sleep(0)
    first.cancel()
    third.cancel()
    await asyncio.sleep(0)
    model.answers.set()
    assert await second == [10]
    for gone in (first, third):
        with pytest.raises(asyncio.CancelledError):
            await gone


async def test_the_one_not_asked_for_longest_makes_room() -> None:
    kept, model = KeptAnswers(2), CountedModel()
    for history in (asked(1), asked(2), asked(1), asked(3)):
        await interests(kept, model, history)
    assert (len(kept), model.calls) == (2, 3)
    await interests(kept, model, asked(1))
    assert model.calls == 3
    await interests(kept, model, asked(2))
    assert model.calls == 4


async def test_none_is_kept_where_none_is_wanted() -> None:
    kept, model = KeptAnswers(0), CountedModel()
    for _ in range(2):
        assert (await kept.of("mind", "1", {}, lambda: model(asked(1))))["interests"].tolist() == [2]
    assert (len(kept), model.calls) == (0, 2)
