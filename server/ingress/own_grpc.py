"""The router's own `grpc.aio` server: in a Ray Serve replica (`ingress: grpc`), or in any asyncio program."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc
from google.protobuf.message import Message

from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from server.connection_metrics import ConnectionMetrics
from server.ingress.add_services import add_services
from server.ingress.bearer_tokens import BearerTokens, TokenInterceptor
from server.ingress.calls import CallHandler
from server.ingress.compression import GRPC_OPTIONS
from server.ingress.connection_keeper import ConnectionKeeper, most_accepted, places, raise_file_limit
from server.ingress.health_service import HealthService
from server.ingress.reflection import add_reflection
from server.ingress.status import Refusal, unavailable_refusal
from server.ingress_settings import LimitSettings, TlsSettings, TokenSettings
from server.rpc.methods import method_table, received_bytes

logger = logging.getLogger(__name__)

_PING_STRIKES = 3
_HOLD_S = 0.1


class Servicer:
    """The methods of every registered service and of health, by bare name; all pass calls to the handler."""

    def __init__(self, calls: CallHandler, max_watches: int) -> None:
        """`max_watches`: Watch streams of health open at once."""
        self._calls = calls
        for name in method_table():
            setattr(self, name, partial(self._answer, name))
        self.checks = HealthService(calls.serving_state, max_watches)
        self.draining = False
        """Whether the server is about to stop."""
        self._closed = asyncio.Event()

    def drain(self) -> None:
        """Reports NOT_SERVING from now on, and holds new calls until `refuse_held`."""
        self.draining = True
        self.checks.drain()

    def refuse_held(self) -> None:
        """Ends the held calls as UNAVAILABLE, so that they are sent again elsewhere."""
        self._closed.set()

    async def _answer(self, method: str, request: Any, context: grpc.aio.ServicerContext) -> Message:
        if self.draining:
            await self._closed.wait()
            return await _message_or_abort(unavailable_refusal("this replica is stopping"), context)
        answer = await self._calls.handle(
            method, request, context.time_remaining(), context.invocation_metadata
        )
        return await _message_or_abort(answer, context)

    async def Check(self, request: Any, context: grpc.aio.ServicerContext) -> Message:
        """`grpc.health.v1.Health/Check`."""
        return await _message_or_abort(self.checks.check(request), context)

    async def Watch(self, request: Any, context: grpc.aio.ServicerContext) -> AsyncIterator[Message]:
        """`grpc.health.v1.Health/Watch`."""
        refusal = self.checks.watch_refusal()
        if refusal is not None:
            await context.abort(refusal.code, refusal.details, refusal.trailing_metadata)
        async for status in self.checks.watch(request):
            yield status


async def _message_or_abort(answer: Message | Refusal, context: grpc.aio.ServicerContext) -> Message:
    if isinstance(answer, Refusal):
        await context.abort(answer.code, answer.details, answer.trailing_metadata)
    assert not isinstance(answer, Refusal)
    return answer


@dataclass(slots=True)
class RunningServer:
    """A server that accepts calls at `address`."""

    address: str
    _server: grpc.aio.Server
    _servicer: Servicer
    _keeper: asyncio.Task[None]

    def check_alive(self) -> None:
        """Raises RuntimeError where room is no longer kept for new callers."""
        if self._keeper.done():
            raise RuntimeError("the watch over connections has ended") from (
                None if self._keeper.cancelled() else self._keeper.exception()
            )

    async def stop(self, grace_s: float) -> None:
        """Stops accepting and lets the calls in progress finish within `grace_s` seconds.

        gRPC ends a call that it has received and not yet passed to the servicer as CANCELLED, which no caller
        retries. So new calls are first accepted and held, until none is between the two; once gRPC has sent
        GOAWAY to its connections, the held ones end UNAVAILABLE, and are sent again elsewhere.
        """
        self._servicer.drain()
        await asyncio.sleep(min(_HOLD_S, grace_s))
        stopping = asyncio.ensure_future(self._server.stop(grace_s))
        await asyncio.sleep(0)
        self._servicer.refuse_held()
        await stopping
        self._keeper.cancel()


async def serve_in_process(
    calls: CallHandler,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    reuse_port: bool = False,
    tls: TlsSettings | None = None,
    tokens: TokenSettings | None = None,
    limits: LimitSettings | None = None,
    metrics: ProcessMetrics | None = None,
    processes: int = 1,
) -> RunningServer:
    """Starts a server on the running event loop; port 0 takes a free one.

    `reuse_port`: several processes share the port and the kernel spreads connections over them. `tls`: None =
    plain text; `tokens`: None = none required; `limits`: None = the defaults. `metrics`: where connections
    are counted, None = nowhere. `processes`: how many share the port, and `limits.connections`.
    Raises RuntimeError where the address cannot be bound, `TlsError` and `TokenError` where certificates or
    tokens cannot be used.
    """
    limits = limits or LimitSettings()
    files = raise_file_limit()
    most = places(limits, processes, files)
    if most < -(-limits.connections // processes):
        logger.warning(
            "%d connections are kept, not this process's share of limits.connections (%d), since it may "
            "not open more files; raise `ulimit -n`",
            most,
            limits.connections,
        )
    accepted = BearerTokens(tokens or TokenSettings())
    credentials = None if tls is None else _credentials(tls)
    server = grpc.aio.server(
        options=[("grpc.so_reuseport", int(reuse_port)), *_options(limits, most_accepted(files))],
        # An interceptor costs every call some 50 µs, so there is none where none is needed.
        interceptors=[TokenInterceptor(accepted)] if accepted.needed else None,
    )
    servicer = Servicer(calls, limits.health_watches)
    add_services(servicer, server, limits.request_bytes)
    add_reflection(server, lambda: servicer.draining)
    address = f"{host}:{port}"
    try:
        if credentials is None:
            bound = server.add_insecure_port(address)
        else:
            bound = server.add_secure_port(address, credentials)
    except RuntimeError:
        await server.stop(None)
        raise
    await server.start()
    keeper = ConnectionKeeper(bound, most, limits, (metrics or ProcessMetrics()).group(ConnectionMetrics))
    return RunningServer(f"{host}:{bound}", server, servicer, asyncio.create_task(keeper.run()))


def _options(limits: LimitSettings, beyond: int) -> list[tuple[str, int]]:
    """Limits as gRPC's channel arguments; of more than `beyond` connections the last are closed at once.

    See https://grpc.github.io/grpc/core/group__grpc__arg__keys.html.
    """
    return [
        ("grpc.max_receive_message_length", received_bytes(limits.request_bytes)),
        *GRPC_OPTIONS,
        # gRPC counts streams until Python has let go of them, while callers begin another call once one is
        # answered: those who keep to a limit near what they start would be cut off.
        ("grpc.max_concurrent_streams", limits.grpc_streams_per_connection),
        ("grpc.http2.min_ping_interval_without_data_ms", int(limits.ping_interval_s * 1_000)),
        ("grpc.http2.max_ping_strikes", _PING_STRIKES),
        # Callers that keep a connection warm between requests may, at the same pace.
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.server_handshake_timeout_ms", int(limits.handshake_s * 1_000)),
        ("grpc.max_connection_idle_ms", int(limits.idle_connection_s * 1_000)),
        ("grpc.max_allowed_incoming_connections", beyond),
    ]


def _credentials(tls: TlsSettings) -> grpc.ServerCredentials:
    # Only a server with certificates pays for the library that reads them.
    from server.ingress.tls import server_credentials

    return server_credentials(tls)
