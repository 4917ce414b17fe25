"""Answers that every open page shares, so that twenty of them ask the router once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")


class SharedAnswers:
    """Answers by name, asked for again once they are too old; belongs to one event loop.

    Names come from the code, never from a browser: nothing leaves by itself.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock`: monotonic seconds."""
        self._clock = clock
        self._kept: dict[str, tuple[float, Any]] = {}
        self._asking: dict[str, asyncio.Lock] = {}

    async def get(self, name: str, fresh_s: float, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer of a name, asked for where it is older than `fresh_s`. Raises what `ask` does."""
        async with self._asking.setdefault(name, asyncio.Lock()):
            at, kept = self._kept.get(name, (0.0, None))
            if kept is not None and self._clock() - at <= fresh_s:
                answer: T = kept
                return answer
            answer = await ask()
            self._kept[name] = (self._clock(), answer)
            return answer

    def forget(self, *names: str) -> None:
        """Has them asked for again, since something was changed."""
        for name in names:
            self._kept.pop(name, None)
