"""What the client's exceptions mean to the callers of the store, and whether the server answers at all."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import redis

from foundation.storage.errors import StateError, StateUnavailable

log = logging.getLogger(__name__)

_FAILURES_BEFORE_PAUSE = 3


class Availability:
    """Whether a server answered last, and until when it is not asked again.

    A server that hangs would cost every request its whole read timeout: after three reads in a row that went
    unanswered, reads are refused at once for `pause_s` seconds; then one answer ends it (a circuit breaker:
    Nygard, "Release It!", 2007).
    """

    def __init__(self, place: str, pause_s: float) -> None:
        self._place = place
        self._pause_s = pause_s
        self._lock = threading.Lock()
        self._failed_in_row = 0
        self._paused_until = 0.0
        self.available = True
        self.failed_reads = 0

    def check_read(self) -> None:
        """Raises StateUnavailable where reads are refused for now."""
        if time.monotonic() < self._paused_until:
            self.failed_reads += 1
            raise StateUnavailable(f"{self._place} has not answered lately; it is asked again in a moment")

    def answered(self) -> None:
        """The server answered."""
        if self._failed_in_row or not self.available:
            with self._lock:
                returned = not self.available
                self._failed_in_row, self._paused_until, self.available = 0, 0.0, True
            if returned:
                log.info("%s answers again", self._place)

    def read_failed(self, error: Exception) -> None:
        """A read went unanswered."""
        with self._lock:
            self.failed_reads += 1
            self._failed_in_row += 1
            if self._failed_in_row >= _FAILURES_BEFORE_PAUSE:
                self._paused_until = time.monotonic() + self._pause_s
        self.write_failed(error)

    def write_failed(self, error: Exception) -> None:
        """A write went unanswered."""
        with self._lock:
            lost, self.available = self.available, False
        if lost:
            log.warning("%s does not answer: %s", self._place, error)


@contextmanager
def state_errors(place: str, key: str = "") -> Iterator[None]:
    """Turns the client's exceptions into the store's.

    `place` is the URL without its password; `key` is named where only one is touched.

    Raises:
        StateError: a key holds what it should not.
        StateUnavailable: anything else that the server or the way to it refuses.
    """
    try:
        yield
    except redis.ResponseError as error:
        if "WRONGTYPE" in str(error):
            what = f"key {key}" if key else "a key"
            raise StateError(
                f"{what} of {place} holds another kind of value than this program writes: {error}; remove "
                "it, or choose another state.redis.prefix"
            ) from error
        raise StateUnavailable(f"{place} refuses: {error}{_advice(error)}") from error
    except redis.RedisError as error:
        raise StateUnavailable(f"cannot reach {place}: {error or type(error).__name__}") from error
    except (OSError, TimeoutError) as error:
        raise StateUnavailable(f"cannot reach {place}: {error or type(error).__name__}") from error


_ADVICE: dict[type[Exception], str] = {
    redis.OutOfMemoryError: "; raise its maxmemory, or lower state.log_max_events or state.log_max_days",
    redis.ReadOnlyError: "; state.url must name the primary, not a replica",
    redis.exceptions.MovedError: "; state.url must name a server outside Redis Cluster",
    redis.exceptions.NoPermissionError: "; give the user the commands that docs/manual/state.md lists",
}


def _advice(error: Exception) -> str:
    return next((advice for kind, advice in _ADVICE.items() if isinstance(error, kind)), "")
