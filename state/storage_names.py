"""What messages of LMDB and Redis call user state and its configuration keys."""

from __future__ import annotations

from foundation.storage.names import StorageNames

STATE_NAMES = StorageNames(
    contents="user state",
    url="state.url",
    prefix="state.redis.prefix",
    when_full="raise state.map_max_bytes or lower state.log_max_events or state.log_max_days",
    when_out_of_memory="raise its maxmemory, or lower state.log_max_events or state.log_max_days",
)
