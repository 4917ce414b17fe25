"""One shop behind every ingress: in this process, behind HAProxy, and with gRPC servers of our own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from protos.shopfront.v1.event_pb2_grpc import EventServiceStub
from protos.shopfront.v1.recommend_pb2_grpc import RecommendServiceStub
from server.ingress.calls import call_handler
from server.ingress.launcher import RouterHandle, start_router
from server.ingress.own_grpc import serve_in_process
from server.plugins import load, unload
from server.settings import RouterSettings
from server.startup import RunningService, start_service
from tests.router.served_shop import ServedShop, make_shop
from tests.triton_server import tiny_triton
from triton_repo.server import TritonServer
from triton_repo.watch import TritonWatcher

PLUGINS = ("tests.server.plugin_service.plugin",)


@dataclass(frozen=True)
class Ingress:
    """A way into the router under test."""

    kind: str
    address: str
    channel: grpc.Channel
    handle: RouterHandle | None = None
    """Where the router is processes of its own."""
    running: RunningService | None = None
    """Where it is in this process."""

    @property
    def recommend(self) -> RecommendServiceStub:
        """Client of RecommendService."""
        return RecommendServiceStub(self.channel)

    @property
    def events(self) -> EventServiceStub:
        """Client of EventService."""
        return EventServiceStub(self.channel)


@contextmanager
def in_process(settings: RouterSettings) -> Iterator[Ingress]:
    """The router on an event loop in a thread of this process."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def run(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(60)

    running = run(start_service(settings))
    server = run(serve_in_process(call_handler(running)))
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
    """The router as processes of its own, none of which is left afterwards."""
    handle = start_router(settings, plugins=plugins)
    try:
        with grpc.insecure_channel(handle.address) as channel:
            yield Ingress(settings.ingress.kind, handle.address, channel, handle=handle)
    finally:
        started = handle.processes()
        handle.stop()
    assert not [process for process in started if process.is_running()]


@dataclass(frozen=True)
class Stand:
    """A router under test with a shop and a Triton that a test may break, if it mends them."""

    ingress: Ingress
    shop: ServedShop
    triton: TritonServer


@contextmanager
def plugins_loaded() -> Iterator[None]:
    """`PLUGINS` are registered in this process while the body runs."""
    load(PLUGINS)
    try:
        yield
    finally:
        unload(PLUGINS)


@contextmanager
def watched(server: TritonServer) -> Iterator[None]:
    """The server is started again whenever it dies."""
    watcher = TritonWatcher(server, lambda event: None)
    watcher.start()
    try:
        yield
    finally:
        watcher.stop()


@pytest.fixture(
    scope="session",
    params=[
        "in_process",
        pytest.param("haproxy", marks=pytest.mark.slow),
        pytest.param("grpc", marks=pytest.mark.slow),
    ],
)
def stand(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """Every ingress in turn, each with a shop and a Triton of its own."""
    folder: Path = tmp_path_factory.mktemp(request.param)
    shop = make_shop(folder)
    recording = {
        "enabled": True,
        "folder": str(folder / "recordings"),
        "share": 1.0,
        "methods": ["Recommend", "RecommendPage", "SimilarItems", "ReportEvents"],
    }
    # As in a shop with a plug-in: every test here also runs with its RPC service.
    with plugins_loaded(), tiny_triton(folder) as server, watched(server):
        if request.param == "in_process":
            with in_process(shop.settings(server.grpc_url, recording=recording)) as started:
                yield Stand(started, shop, server)
        else:
            settings = shop.settings(
                server.grpc_url,
                ingress={"kind": request.param, "address": "127.0.0.1:0"},
                recording=recording,
            )
            with as_processes(settings, PLUGINS) as started:
                yield Stand(started, shop, server)


@pytest.fixture
def ingress(stand: Stand) -> Ingress:
    """The way in."""
    return stand.ingress


@pytest.fixture
def shop(stand: Stand) -> ServedShop:
    """The shop served."""
    return stand.shop
