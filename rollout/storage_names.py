"""What messages of LMDB and Redis call the record of rollouts and its configuration keys."""

from __future__ import annotations

from foundation.storage.names import StorageNames

ROLLOUT_NAMES = StorageNames(
    contents="the record of rollouts",
    url="rollout.url",
    # One section says how Redis is used, for user state and for rollouts.
    prefix="state.redis.prefix",
    when_full="with no rollout under way the folder may be removed, and promotions are forgotten with it",
    when_out_of_memory="raise its maxmemory",
)
