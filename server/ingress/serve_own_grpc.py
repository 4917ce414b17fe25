"""Ingress `grpc` on Ray Serve: Serve keeps the replica alive, the replica's own server receives the calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from server.ingress.calls import call_handler
from server.ingress.own_grpc import serve_in_process
from server.ingress.replica_start import begin_replica
from server.ingress_settings import split_address
from server.startup import start_service


class OwnGrpcIngress:
    """One replica. All replicas of a node share the port; the kernel spreads connections over them."""

    # Ray Serve awaits the constructor.
    async def __init__(  # type: ignore[misc]
        self, settings: dict[str, Any], plugins: Sequence[str]
    ) -> None:
        """Starts the service and its server; arguments as for `begin_replica`."""
        parsed = begin_replica(settings, plugins)
        self._drain_s = parsed.ingress.drain_s
        self._running = await start_service(parsed)
        ingress = parsed.ingress
        host, port = split_address(ingress.address)
        self._server = await serve_in_process(
            call_handler(self._running),
            host,
            port,
            reuse_port=True,
            tls=ingress.tls,
            tokens=ingress.tokens,
            limits=ingress.limits,
            metrics=self._running.metrics,
            processes=ingress.replicas,
        )

    async def check_health(self) -> None:
        """Called by Ray Serve, which replaces the replica where this raises."""
        self._running.check_alive()
        self._server.check_alive()

    async def __del__(self) -> None:
        """Called by Ray Serve when the replica stops; Serve sees no calls here, so they are drained here."""
        await self._server.stop(self._drain_s)
        await self._running.stop()
