"""A router in this process or in its own processes, with a client's channel to it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc

from protos.shopfront.v1.event_pb2_grpc import EventServiceStub
from protos.shopfront.v1.recommend_pb2_grpc import RecommendServiceStub
from server.ingress.calls import call_handler
from server.ingress.launcher import start_router
from server.ingress.own_grpc import serve_in_process
from server.ingress.router_handle import RouterHandle
from server.running_service import RunningService
from server.settings import RouterSettings
from server.startup import start_service
from testing.triton_server import end_at_once
from triton_repo.process_ends import is_alive
from triton_repo.server import TritonServer
from triton_repo.watch import TritonWatcher


@dataclass(frozen=True)
class Ingress:
    """A router under test and a client's channel to it."""

    kind: str
    address: str
    channel: grpc.Channel
    handle: RouterHandle | None = None
    """Set where the router runs in its own processes."""
    running: RunningService | None = None
    """Set where it runs in this process."""

    @property
    def recommend(self) -> RecommendServiceStub:
        """Client of RecommendService."""
        return RecommendServiceStub(self.channel)

    @property
    def events(self) -> EventServiceStub:
        """Client of EventService."""
        return EventServiceStub(self.channel)


@contextmanager
def in_process(settings: RouterSettings, port: int = 0) -> Iterator[Ingress]:
    """The router on an event loop in a thread of this process; `port` 0: a free one."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def run(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(60)

    running = run(start_service(settings))
    server = run(serve_in_process(call_handler(running), port=port))
    try:
        with grpc.insecure_channel(server.address) as channel:
            yield Ingress("in_process", server.address, channel, running=running)
    finally:
        run(server.stop(1.0))
        run(running.stop())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@contextmanager
def as_processes(settings: RouterSettings, plugins: Sequence[str] = ()) -> Iterator[Ingress]:
    """The router in its own processes, none of which is left afterwards."""
    handle = start_router(settings, plugins=plugins)
    try:
        with grpc.insecure_channel(handle.address) as channel:
            yield Ingress(settings.ingress.kind, handle.address, channel, handle=handle)
    finally:
        started = handle.processes()
        handle.stop()
    assert not [process for process in started if is_alive(process)]


@contextmanager
def watched(server: TritonServer) -> Iterator[None]:
    """The server is started again whenever it dies."""
    watcher = TritonWatcher(server, lambda event: None)
    watcher.start()
    try:
        yield
    finally:
        # The watcher's own way of stopping it is orderly, and takes five seconds.
        end_at_once(server)
        watcher.stop()
