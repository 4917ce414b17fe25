"""A channel: one connection at a time to one target, opened again when it is lost."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable

from loadtest.call import Call, Headers, Limits, Started
from loadtest.http2 import Connection
from loadtest.status import Status
from loadtest.target import Target

_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 1.0
# A server need not answer TLS's closing alert, and then the transport would wait for it.
_GOODBYE_S = 0.1


class Channel:
    """Starts calls on its connection; while there is none they wait until connecting succeeds or fails.

    A failed attempt ends the waiting calls with Unavailable; the next call makes the next attempt after a
    pause that doubles up to a second, so that a server that is down is not flooded with attempts.
    """

    def __init__(
        self,
        target: Target,
        tls: ssl.SSLContext | None,
        server_name: str,
        limits: Limits,
        connect_timeout_s: float,
        keepalive_s: float,
        clock_ns: Callable[[], int],
    ) -> None:
        """A channel without a connection; `open` makes the first.

        Args:
            target: where to connect to.
            tls: the context to connect with; None for plaintext.
            server_name: the name that the server's certificate must have; empty: the target's host.
            limits: sizes of messages.
            connect_timeout_s: seconds one attempt to connect may take.
            keepalive_s: seconds of silence after which the server is pinged; 0: never.
            clock_ns: nanoseconds, monotonic.
        """
        self._target = target
        self._tls = tls
        self._server_name = server_name
        self._limits = limits
        self._connect_timeout_s = connect_timeout_s
        self._keepalive_s = keepalive_s
        self._clock_ns = clock_ns
        self._connection: Connection | None = None
        self._draining: set[Connection] = set()
        self._pending: deque[Started] = deque()
        self._connecting: asyncio.Task[None] | None = None
        self._probing: asyncio.Task[None] | None = None
        self._pause_s = 0.0
        self._closed = False

    async def open(self) -> None:
        """Connects. Raises ConnectionError, with the reason, where that fails or takes too long."""
        self._connection = await self._connect()
        if self._keepalive_s > 0:
            self._probing = asyncio.create_task(self._probe())

    def start(self, call: Call, headers: Headers, data: bytes, end_stream: bool) -> None:
        """Starts a call now, or as soon as there is a connection."""
        if self._connection is not None:
            self._connection.start(call, headers, data, end_stream)
            return
        self._pending.append((call, headers, data, end_stream))
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._reconnect())

    def connection_of(self, call: Call) -> Connection | None:
        """The connection that carries a call under way; None while it waits for one."""
        for connection in (self._connection, *self._draining):
            if connection is not None and connection.carries(call):
                return connection
        return None

    def cancel(self, call: Call, status: Status, message: str) -> None:
        """Ends a call from this side."""
        connection = self.connection_of(call)
        if connection is not None:
            connection.cancel(call, status, message)
        elif call.status is None:
            self._pending = deque(entry for entry in self._pending if entry[0] is not call)
            _fail(call, status, message, self._clock_ns())

    async def close(self, status: Status, message: str) -> None:
        """Ends every call with `status` and drops the connections; returns when they are gone."""
        self._closed = True
        for task in (self._connecting, self._probing):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        pending, self._pending = self._pending, deque()
        for call, *_ in pending:
            _fail(call, status, message, self._clock_ns())
        connections = [
            connection for connection in (self._connection, *self._draining) if connection is not None
        ]
        self._connection = None
        for connection in connections:
            connection.close(status, message)
        if connections:
            await asyncio.wait([connection.lost for connection in connections], timeout=_GOODBYE_S)
        for connection in connections:
            connection.abort()
            await connection.lost

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()

        def protocol() -> Connection:
            return Connection(self._limits, self._connection_closing, self._clock_ns)

        async def attempt() -> Connection:
            # With TLS the name that the certificate must hold is the target's unless another was given.
            name = (self._server_name or self._target.host or "localhost") if self._tls is not None else None
            if self._target.path:
                _, connection = await loop.create_unix_connection(
                    protocol, self._target.path, ssl=self._tls, server_hostname=name
                )
            else:
                _, connection = await loop.create_connection(
                    protocol, self._target.host, self._target.port, ssl=self._tls, server_hostname=name
                )
            try:
                await connection.opened
            except BaseException:
                connection.abort()
                raise
            return connection

        try:
            return await asyncio.wait_for(attempt(), self._connect_timeout_s)
        except TimeoutError as error:
            raise ConnectionError(f"no connection within {self._connect_timeout_s:g} s") from error
        except ssl.SSLError as error:
            raise ConnectionError(f"TLS failed: {error.reason or error}") from error
        except OSError as error:
            raise ConnectionError(str(error)) from error

    async def _reconnect(self) -> None:
        if self._pause_s:
            await asyncio.sleep(self._pause_s)
        try:
            self._connection = await self._connect()
            self._pause_s = 0.0
        except ConnectionError as error:
            self._pause_s = min(_LONGEST_PAUSE_S, max(_FIRST_PAUSE_S, 2 * self._pause_s))
            now = self._clock_ns()
            pending, self._pending = self._pending, deque()
            self._connecting = None
            for call, *_ in pending:
                _fail(call, Status.UNAVAILABLE, f"connection error: {error}", now)
            return
        self._connecting = None
        pending, self._pending = self._pending, deque()
        for entry in pending:
            self.start(*entry)

    def _connection_closing(self, connection: Connection, unstarted: list[Started]) -> None:
        if connection is self._connection:
            self._connection = None
            self._draining.add(connection)
            connection.lost.add_done_callback(lambda _: self._draining.discard(connection))
        if not self._closed:
            for entry in unstarted:
                self.start(*entry)

    async def _probe(self) -> None:
        while True:
            await asyncio.sleep(self._keepalive_s)
            if self._connection is not None:
                self._connection.probe(self._keepalive_s)


def _fail(call: Call, status: Status, message: str, now: int) -> None:
    if call.status is None:
        call.status = status
        call.message = message
        call.ended_ns = now
        call.finished(call)
