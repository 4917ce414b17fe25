"""Which shards are not asked for a while, since they keep every search waiting until its timeout.

A circuit breaker (Nygard, *Release It!*, 2007) for each shard. A single late answer proves nothing, and many
searches that wait side by side are late together: what counts is how long a shard was silent while searches
waited for it. Only silence counts. A shard that is gone or behind says so at once and costs nobody time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(slots=True)
class _Silence:
    """A shard whose last call went unanswered.

    began  second at which the first call that went unanswered since its last answer began
    until  second from which on one call tries it again; None: it is asked as usual
    """

    began: float
    until: float | None = None


class SilentShards:
    """For the threads of a process that search the same shards.

    silent_s  seconds of silence after which a shard is not asked; 0: every shard is always asked
    pause_s   seconds for which it is not asked; then one call at a time tries it
    clock     seconds, monotonic
    """

    def __init__(self, silent_s: float, pause_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """All are asked at first."""
        self._silent_s, self._pause_s, self._clock = silent_s, pause_s, clock
        self._silences: dict[int, _Silence] = {}
        self._lock = threading.Lock()

    def begin(self, numbers: Sequence[int]) -> tuple[float, dict[int, str]]:
        """When a call of these shards begins, and of those that it must not ask: why.

        Where a pause is over, the call tries the shard, and those meanwhile leave it out as before.
        """
        now = self._clock()
        left_out: dict[int, str] = {}
        if not self._silences:
            return now, left_out
        with self._lock:
            for number in numbers:
                silence = self._silences.get(number)
                if silence is None or silence.until is None:
                    continue
                if now < silence.until:
                    left_out[number] = (
                        "not asked, since it gave no answer before; the next try follows in "
                        f"{silence.until - now:.1f} s"
                    )
                else:
                    silence.until = now + self._pause_s
        return now, left_out

    def end(self, began: float, silent: Sequence[int], others: Sequence[int]) -> None:
        """Notes a call that began then: shards that were waited for in vain, and those that were not."""
        if not silent and not self._silences:
            return
        now = self._clock()
        with self._lock:
            for number in others:
                self._silences.pop(number, None)
            for number in silent:
                silence = self._silences.setdefault(number, _Silence(began))
                # A call from before the pause adds nothing, and what tried the shard has set it already.
                if silence.until is None and self._silent_s and now - silence.began >= self._silent_s:
                    silence.until = now + self._pause_s
