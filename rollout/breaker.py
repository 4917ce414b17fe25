"""Stops calling a candidate that keeps failing, so that its failures do not delay every request."""

from __future__ import annotations

from collections.abc import Callable

from rollout.settings import GuardSettings


class CandidateBreaker:
    """Open after several failures in a row; then one request in a while tries again."""

    def __init__(self, settings: GuardSettings, clock: Callable[[], float]) -> None:
        """`clock`: monotonic seconds."""
        self._settings = settings
        self._clock = clock
        self._key = ""
        self._failures = 0
        self._retry_at = 0.0

    def allows(self, rollout: str) -> bool:
        """Whether the candidate of this rollout may be called now."""
        if rollout != self._key:
            self._key, self._failures, self._retry_at = rollout, 0, 0.0
        if self._failures < self._settings.failures:
            return True
        if self._clock() < self._retry_at:
            return False
        self._retry_at = self._clock() + self._settings.pause_s
        return True

    def succeeded(self) -> None:
        """The candidate has answered."""
        self._failures = 0

    def failed(self) -> None:
        """The candidate has not answered, or not with finite scores."""
        self._failures += 1
        if self._failures == self._settings.failures:
            self._retry_at = self._clock() + self._settings.pause_s
