"""A client of Redis or Valkey that sends again what went unanswered."""

import redis
from redis.backoff import ExponentialBackoff
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

from foundation.storage.errors import StateError
from foundation.storage.redis_url import client_url, redacted
from foundation.storage.settings import RedisSettings

LONGEST_PAUSE_S = 0.5
"""Longest pause between two tries of a write, in seconds."""


def connect(url: str, settings: RedisSettings) -> redis.Redis:
    """A blocking client with one connection, opened when first used; threads take turns.

    Raises:
        StateError: the URL is no address.
    """
    address = client_url(url)
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
        raise StateError(f"state.url {redacted(url)!r} is no address: {error}") from None
    return redis.Redis.from_pool(pool)
