"""Reads of users' records that do not block the event loop they are awaited on."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import cast
from weakref import WeakKeyDictionary

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig

from foundation.storage.errors import StorageUnavailable
from foundation.storage.redis_failures import Availability, storage_errors
from foundation.storage.settings import RedisSettings
from state.storage_names import STATE_NAMES
from state.user_records import RECORDS

_CLOSE_S = 2.0


class StoredRecords:
    """The records of one user, read at one moment; a `RecordReader`."""

    __slots__ = ("_stored",)

    def __init__(self, values: Sequence[bytes | None]) -> None:
        """`values`: of `RECORDS`, in their order."""
        self._stored = dict(zip(RECORDS, values, strict=True))

    def get(self, name: bytes, key: bytes) -> bytes | None:
        """See `RecordReader.get`."""
        return self._stored[name]


class RedisReads:
    """A bounded pool of connections for each event loop that reads."""

    def __init__(
        self,
        url: str,
        place: str,
        settings: RedisSettings,
        availability: Availability,
        released_while: Callable[[], AbstractContextManager[None]],
    ) -> None:
        """`released_while` is entered while an answer is awaited, so that other calls compute meanwhile."""
        self._url = url
        self._place = place
        self._settings = settings
        self._availability = availability
        self._released_while = released_while
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, redis.asyncio.Redis] = WeakKeyDictionary()
        self._closing: set[asyncio.Task[None]] = set()
        self._lock = threading.Lock()

    async def records(self, keys: Sequence[str]) -> list[StoredRecords]:
        """The records under each key of a user, all as of one moment.

        Raises:
            StorageUnavailable: the server did not answer in time.
            StorageError: a key holds another kind of value.
        """
        self._availability.check_read()
        try:
            with storage_errors(self._place, STATE_NAMES, keys[0] if len(keys) == 1 else ""):
                async with asyncio.timeout(self._settings.read_timeout_s):
                    with self._released_while():
                        found = await self._fetch(keys)
        except StorageUnavailable as error:
            self._availability.read_failed(error)
            raise
        self._availability.answered()
        return [StoredRecords(values) for values in found]

    async def _fetch(self, keys: Sequence[str]) -> list[list[bytes | None]]:
        client = self._client()
        if len(keys) == 1:
            return [cast("list[bytes | None]", await client.hmget(keys[0], list(RECORDS)))]
        async with client.pipeline(transaction=True) as pipeline:
            for key in keys:
                pipeline.hmget(key, list(RECORDS))
            return list(await pipeline.execute())

    def _client(self) -> redis.asyncio.Redis:
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            pool = redis.asyncio.BlockingConnectionPool.from_url(
                self._url,
                max_connections=self._settings.max_connections,
                timeout=self._settings.read_timeout_s,
                socket_timeout=self._settings.read_timeout_s,
                socket_connect_timeout=self._settings.connect_timeout_s,
                # Connections of before a restart fail at once: one more try opens a new one.
                retry=Retry(NoBackoff(), 1),
                maint_notifications_config=MaintNotificationsConfig(enabled=False),
            )
            client = redis.asyncio.Redis.from_pool(pool)
            with self._lock:
                self._clients[loop] = client
        return client

    def close(self) -> None:
        """Closes the connections of every loop that still runs."""
        try:
            here: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        with self._lock:
            clients = list(self._clients.items())
            self._clients.clear()
        for loop, client in clients:
            if loop is here:
                task = loop.create_task(client.aclose())
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)
            elif loop.is_running():
                asyncio.run_coroutine_threadsafe(client.aclose(), loop).result(_CLOSE_S)
