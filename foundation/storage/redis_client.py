"""A client of Redis or Valkey that sends again what went unanswered."""

import redis
from redis.backoff import ExponentialBackoff
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

from foundation.storage.errors import StorageError
from foundation.storage.names import StorageNames
from foundation.storage.redis_url import client_url, redacted
from foundation.storage.settings import RedisSettings

LONGEST_PAUSE_S = 0.5
"""Longest pause between two tries of a write, in seconds."""


def connect(url: str, settings: RedisSettings, names: StorageNames) -> redis.Redis:
    """A blocking client with one connection, opened when first used; threads take turns.

    Raises:
        StorageError: the URL is no address.
    """
    address = client_url(url, names)
    try:
        pool = redis.BlockingConnectionPool.from_url(
            address,
            max_connections=1,
            timeout=None,
            socket_timeout=settings.write_timeout_s,
            socket_connect_timeout=settings.connect_timeout_s,
            retry=Retry(ExponentialBackoff(cap=LONGEST_PAUSE_S, base=0.05), settings.write_tries - 1),
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
        )
    except (ValueError, TypeError) as error:
        raise StorageError(f"{names.url} {redacted(url)!r} is no address: {error}") from None
    return redis.Redis.from_pool(pool)
