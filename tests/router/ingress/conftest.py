"""One shop behind every ingress: in this process, and as processes behind HAProxy and with servers of their own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from protos.shopfront.v1.event_pb2_grpc import EventServiceStub
from protos.shopfront.v1.recommend_pb2_grpc import RecommendServiceStub
from router.ingress.app import RouterHandle, start_router
from router.ingress.calls import call_handler
from router.ingress.own_grpc import serve_in_process
from router.service.startup import RunningService, start_service
from router.settings import RouterSettings
from tests.router.served_shop import ServedShop, make_shop
from tests.triton_server import triton  # noqa: F401 - a fixture
from triton_repo.server import TritonServer


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


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> ServedShop:
    """A shop with a published snapshot; read only."""
    return make_shop(tmp_path_factory.mktemp("shop"))


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
def as_processes(settings: RouterSettings) -> Iterator[Ingress]:
    """The router as processes of its own, none of which is left afterwards."""
    handle = start_router(settings)
    try:
        with grpc.insecure_channel(handle.address) as channel:
            yield Ingress(settings.ingress.kind, handle.address, channel, handle=handle)
    finally:
        started = handle.processes()
        handle.stop()
    assert not [process for process in started if process.is_running()]


@pytest.fixture(
    scope="session",
    params=[
        "in_process",
        pytest.param("haproxy", marks=pytest.mark.slow),
        pytest.param("grpc", marks=pytest.mark.slow),
    ],
)
def ingress(
    request: pytest.FixtureRequest,
    shop: ServedShop,
    triton: TritonServer,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Ingress]:
    """Every ingress in turn, over the same shop, each with a state of its own."""
    folder: Path = tmp_path_factory.mktemp(request.param)
    sections: dict[str, Any] = {"state": {"url": f"lmdb://{folder / 'state'}"}}
    if request.param == "in_process":
        with in_process(shop.settings(triton.grpc_url, **sections)) as started:
            yield started
    else:
        sections["ingress"] = {"kind": request.param, "address": "127.0.0.1:0"}
        sections["request_log"] = {"folder": str(folder)}
        with as_processes(shop.settings(triton.grpc_url, **sections)) as started:
            yield started
