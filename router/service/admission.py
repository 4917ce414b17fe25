"""Bounds the calls in progress: overload is answered at once, not queued past its deadline."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from router.errors import OverloadError


class Admission:
    """Admits up to `max_concurrent` calls at a time; one event loop only."""

    def __init__(self, max_concurrent: int, retry_after_s: float) -> None:
        self._max_concurrent = max_concurrent
        self._retry_after_s = retry_after_s
        self.in_progress = 0

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Holds one place while the block runs.

        Raises `OverloadError` where none is free.
        """
        if self.in_progress >= self._max_concurrent:
            raise OverloadError(
                self._retry_after_s, f"{self.in_progress} of {self._max_concurrent} concurrent requests"
            )
        self.in_progress += 1
        try:
            yield
        finally:
            self.in_progress -= 1
