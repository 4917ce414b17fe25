"""Stopping under load: what is in progress is answered, what comes later may be sent elsewhere."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from protos.shopfront.v1.recommend_pb2 import RecommendRequest
from protos.shopfront.v1.recommend_pb2_grpc import RecommendServiceStub
from server.ingress.launcher import start_router
from server.ingress.router_handle import RouterHandle
from server.ingress.sessions import command_of
from server.ingress_settings import IngressKind
from testing.running_router import in_process
from testing.served_shop import make_shop

NO_TRITON = "127.0.0.1:9"
CLIENTS = 6


class Asking:
    """Clients that ask the first address, and on UNAVAILABLE once more, the second."""

    def __init__(self, addresses: tuple[str, str]) -> None:
        self._addresses = addresses
        self._stop = threading.Event()
        self.answered = [0, 0]
        self.first_codes: set[str] = set()
        self.failed: list[str] = []
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(CLIENTS)]

    def __enter__(self) -> Asking:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def _ask(self) -> None:
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]
        channels = [grpc.insecure_channel(address, options=options) for address in self._addresses]
        stubs = [RecommendServiceStub(channel) for channel in channels]
        request = RecommendRequest(scene="home", user_id="u0001")
        while not self._stop.is_set():
            for position, stub in enumerate(stubs):
                try:
                    assert len(stub.Recommend(request, timeout=20).items) == 20
                    self.answered[position] += 1
                    break
                except grpc.RpcError as error:
                    words = f"{error.code().name}: {error.details()}"
                    if position == 0:
                        self.first_codes.add(words)
                    if position == 1 or error.code() is not grpc.StatusCode.UNAVAILABLE:
                        self.failed.append(words)
                        break
        for channel in channels:
            channel.close()


class Watching:
    """A client that watches the health of a router until the watch ends."""

    def __init__(self, address: str) -> None:
        self.statuses: list[str] = []
        self._began = threading.Event()
        self._address = address
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Watching:
        self._thread.start()
        assert self._began.wait(30)
        return self

    def __exit__(self, *error: object) -> None:
        self._thread.join(30)
        if self._thread.is_alive():
            self.statuses.append("has not ended")

    def _watch(self) -> None:
        with grpc.insecure_channel(self._address) as channel:
            try:
                for answer in health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest()):
                    self.statuses.append(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))
                    self._began.set()
                self.statuses.append("ended with OK")
            except grpc.RpcError as error:
                self.statuses.append(f"{error.code().name}: {error.details()}")


def fallback_of(router: RouterHandle) -> str:
    """Address of Serve's proxy, to which HAProxy turns while it takes all replicas for down."""
    for process in router.processes():
        for argument in command_of(process):
            if argument.endswith("haproxy.cfg"):
                found = re.search(
                    r"server SERVE_PROXY_ACTOR-\S+ (\S+) proto h2 .* backup", Path(argument).read_text()
                )
                assert found is not None
                return found[1]
    raise AssertionError("there is no HAProxy")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a router that is not stopped."""
    with in_process(make_shop(tmp_path_factory.mktemp("kept")).settings(NO_TRITON)) as ingress:
        yield ingress.address


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["grpc", "haproxy"])
def test_a_router_that_stops_under_load_fails_nobody_who_asks_once_more_and_ends_watches(
    kind: IngressKind, kept: str, tmp_path: Path
) -> None:
    shop = make_shop(tmp_path)
    stopped = start_router(
        shop.settings(NO_TRITON, ingress={"kind": kind, "address": "127.0.0.1:0", "replicas": 1})
    )
    try:
        watched = [stopped.address] if kind == "grpc" else [stopped.address, fallback_of(stopped)]
        with ExitStack() as stack:
            watches = [stack.enter_context(Watching(address)) for address in watched]
            asking = stack.enter_context(Asking((stopped.address, kept)))
            until = time.monotonic() + 60
            while asking.answered[0] < 50:
                assert time.monotonic() < until, asking.failed
                time.sleep(0.02)
            stopped.stop()
            assert stopped.exit_status() == 0
            elsewhere = asking.answered[1]
            while asking.answered[1] < elsewhere + 20:
                assert time.monotonic() < until, asking.failed
                time.sleep(0.02)
        assert not asking.failed
        assert asking.first_codes
        if kind == "haproxy":
            # What was in progress was answered: no call was cut off, those after it were not taken.
            assert not [words for words in asking.first_codes if "GOAWAY" in words]
        # Behind HAProxy another replica goes on serving, so a watch ends without NOT_SERVING.
        ended = {
            "haproxy": ["SERVING", "UNAVAILABLE: this replica is stopping; watch again"],
            "grpc": ["SERVING", "NOT_SERVING", "ended with OK"],
        }
        assert [watch.statuses for watch in watches] == [ended[kind]] * len(watches)
    finally:
        if stopped.is_running():
            stopped.stop()
