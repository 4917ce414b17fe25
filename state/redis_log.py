"""The event log in Redis: a stream of entries under rising sequence numbers, oldest trimmed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import redis

from state.errors import CorruptEntry
from state.event_log import decode_entry
from state.logged_event import LoggedEvent
from state.redis_keys import RedisKeys
from state.redis_scripts import TRIM
from state.settings import StateSettings

_CHUNK = 1_000


class RedisLog:
    """Reads and trims the log; raises what the client raises. Groups of events are appended by `COMMIT`."""

    def __init__(self, client: redis.Redis, keys: RedisKeys, settings: StateSettings, trim_step: int) -> None:
        """`trim_step`: entries that are removed at a time."""
        self._client = client
        self._keys = keys
        self._settings = settings
        self._trim_step = trim_step
        self._trim_script = client.register_script(TRIM)

    def read(self, after_seq: int, limit: int | None) -> Iterator[tuple[int, LoggedEvent]]:
        """See `StateStore.read_log`. Raises CorruptEntry where an entry cannot be read."""
        left = limit
        while left is None or left > 0:
            size = _CHUNK if left is None else min(left, _CHUNK)
            found = cast(
                "list[tuple[bytes, dict[bytes, bytes]]]",
                self._client.xrange(self._keys.log, min=f"({after_seq}-0", max="+", count=size),
            )
            for stream_id, fields in found:
                seq = int(stream_id.partition(b"-")[0])
                entry = fields.get(b"event")
                if entry is None:
                    raise CorruptEntry(seq, "it has no field `event`")
                yield seq, decode_entry(seq, entry)
                after_seq = seq
            if len(found) < size:
                return
            if left is not None:
                left -= size

    def trim(self, now: float) -> None:
        """Removes what is beyond the retention at unix second `now`."""
        arguments: list[Any] = [
            self._settings.log_max_events,
            int((now - self._settings.log_max_days * 86_400) * 1_000),
            self._trim_step,
        ]
        while cast(int, self._trim_script(keys=[self._keys.log], args=arguments)) >= self._trim_step:
            pass
