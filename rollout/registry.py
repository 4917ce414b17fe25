"""Opens the rollout store that a URL names."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from foundation.storage.redis_url import REDIS_SCHEMES, redacted
from foundation.storage.settings import RedisSettings
from rollout.errors import RolloutStoreError
from rollout.lmdb_store import LmdbRolloutStore
from rollout.store import RolloutStore


def open_rollout_store(url: str, redis: RedisSettings | None = None) -> RolloutStore:
    """The store at `url`: lmdb:///absolute/folder, lmdb://folder below the working folder, or redis://host.

    `redis`: how a Redis server is used; defaults where None. Raises `RolloutStoreError` where the scheme is
    unknown or the store cannot be used.
    """
    scheme = url.partition("://")[0]
    if scheme in REDIS_SCHEMES:
        # The client is not imported where LMDB holds the rollouts.
        from rollout.redis_store import RedisRolloutStore

        return RedisRolloutStore(url, redis or RedisSettings())
    if scheme != "lmdb":
        known = ", ".join(f"{name}://" for name in ("lmdb", *REDIS_SCHEMES))
        raise RolloutStoreError(f"rollout.url is {redacted(url)!r}; known schemes are {known}")
    parts = urlsplit(url)
    folder = unquote(parts.netloc + parts.path)
    if not folder:
        raise RolloutStoreError(f"rollout.url {url!r} names no folder")
    return LmdbRolloutStore(Path(folder))
