"""Stores of each kind."""

from tests.state.conftest import (
    lmdb_settings,
    redis_server,
    redis_settings,
    settings,
    shared_redis,
    store,
)

__all__ = ["lmdb_settings", "redis_server", "redis_settings", "settings", "shared_redis", "store"]
