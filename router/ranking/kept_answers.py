"""Answers of models kept by what they were asked, so that a shopper's interests are not computed twice.

A model's answer depends on its version and its inputs alone, so what is kept is right for as long as the same
is asked: until the shopper's next event, or until an age of the history moves to its next bucket.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from numpy.typing import NDArray

Answer = Mapping[str, NDArray[Any]]
Key = tuple[Any, ...]


class KeptAnswers:
    """The latest answers of one process, for the coroutines of one event loop."""

    def __init__(
        self,
        most: int,
        released_while: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """None is kept yet.

        Args:
            most: answers kept; the one that was not asked for longest makes room. 0: none, and each call is
                made.
            released_while: entered while another request's call is awaited.
        """
        self._most = most
        self._released_while = released_while
        self._answers: OrderedDict[Key, Answer] = OrderedDict()
        self._under_way: dict[Key, asyncio.Future[Answer | None]] = {}

    def __len__(self) -> int:
        """Answers kept."""
        return len(self._answers)

    async def of(
        self,
        model: str,
        version: str,
        inputs: Mapping[str, NDArray[Any]],
        call: Callable[[], Awaitable[Mapping[str, NDArray[Any]]]],
    ) -> Answer:
        """The answer to these inputs: kept, or of a call under way, or of `call`, whose errors are passed on.

        Where a call under way fails or is cancelled, each caller that waited for it makes its own.

        Returns:
            Arrays by name, read-only: others may be given the same.
        """
        if not self._most:
            return await call()
        key = (
            model,
            version,
            *((name, values.dtype.str, values.shape, values.tobytes()) for name, values in inputs.items()),
        )
        kept = self._answers.get(key)
        if kept is not None:
            self._answers.move_to_end(key)
            return kept
        under_way = self._under_way.get(key)
        if under_way is not None:
            with self._released_while():
                shared = await asyncio.shield(under_way)
            return await self._answered(key, call) if shared is None else shared
        return await self._answered(key, call)

    async def _answered(self, key: Key, call: Callable[[], Awaitable[Mapping[str, NDArray[Any]]]]) -> Answer:
        future = asyncio.get_running_loop().create_future()
        self._under_way.setdefault(key, future)
        answer: Answer | None = None
        try:
            answer = await call()
            for values in answer.values():
                values.flags.writeable = False
            self._answers[key] = answer
            if len(self._answers) > self._most:
                self._answers.popitem(last=False)
            return answer
        finally:
            future.set_result(answer)
            if self._under_way.get(key) is future:
                del self._under_way[key]
