"""Turns the Redis client's exceptions into storage errors, and tracks whether the server answers."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import redis

from foundation.storage.errors import StorageError, StorageUnavailable
from foundation.storage.names import StorageNames

log = logging.getLogger(__name__)

_FAILURES_BEFORE_PAUSE = 3


class Availability:
    """Whether a server answered last, and until when reads are refused.

    A server that hangs would cost every request its whole read timeout: after three reads in a row that went
    unanswered, reads are refused at once for `pause_s` seconds; then one answer ends it (a circuit breaker:
    Nygard, "Release It!", 2007).
    """

    def __init__(self, place: str, pause_s: float) -> None:
        """`place`: the server, for log lines; `pause_s`: seconds for which reads are refused."""
        self._place = place
        self._pause_s = pause_s
        self._lock = threading.Lock()
        self._failed_in_row = 0
        self._paused_until = 0.0
        self.available = True
        self.failed_reads = 0

    def check_read(self) -> None:
        """Raises StorageUnavailable where reads are refused for now."""
        if time.monotonic() < self._paused_until:
            self.failed_reads += 1
            raise StorageUnavailable(f"{self._place} has not answered lately; it is called again in a moment")

    def answered(self) -> None:
        """Notes that the server answered."""
        if self._failed_in_row or not self.available:
            with self._lock:
                returned = not self.available
                self._failed_in_row, self._paused_until, self.available = 0, 0.0, True
            if returned:
                log.info("%s answers again", self._place)

    def read_failed(self, error: Exception) -> None:
        """Notes that a read was not answered."""
        with self._lock:
            self.failed_reads += 1
            self._failed_in_row += 1
            if self._failed_in_row >= _FAILURES_BEFORE_PAUSE:
                self._paused_until = time.monotonic() + self._pause_s
        self.write_failed(error)

    def write_failed(self, error: Exception) -> None:
        """Notes that a write was not answered."""
        with self._lock:
            lost, self.available = self.available, False
        if lost:
            log.warning("%s does not answer: %s", self._place, error)


@contextmanager
def storage_errors(place: str, names: StorageNames, key: str = "") -> Iterator[None]:
    """Turns exceptions of the Redis client, raised inside the block, into storage errors.

    Args:
        place: the URL without its password.
        names: for the messages.
        key: the key, where only one is used.

    Raises:
        StorageError: a key holds another kind of value.
        StorageUnavailable: any other failure of the server or of the connection.
    """
    try:
        yield
    except redis.ResponseError as error:
        if "WRONGTYPE" in str(error):
            what = f"key {key}" if key else "a key"
            raise StorageError(
                f"{what} of {place} holds another kind of value than this program writes: {error}; remove "
                f"it, or choose another {names.prefix}"
            ) from error
        raise StorageUnavailable(f"{place} refuses: {error}{_advice(error, names)}") from error
    except redis.RedisError as error:
        raise StorageUnavailable(f"cannot reach {place}: {error or type(error).__name__}") from error
    except (OSError, TimeoutError) as error:
        raise StorageUnavailable(f"cannot reach {place}: {error or type(error).__name__}") from error


def _advice(error: Exception, names: StorageNames) -> str:
    if isinstance(error, redis.OutOfMemoryError):
        return f"; {names.when_out_of_memory}"
    if isinstance(error, redis.ReadOnlyError):
        return f"; {names.url} must name the primary, not a replica"
    if isinstance(error, redis.exceptions.MovedError):
        return f"; {names.url} must name a server outside Redis Cluster"
    if isinstance(error, redis.exceptions.NoPermissionError):
        return "; give the user the commands that docs/manual/state.md lists"
    return ""
