"""Thousands of idle connections keep no caller out, and where room is short idle ones go first."""

from __future__ import annotations

import asyncio
import fcntl
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from foundation.telemetry.metrics.endpoint import FolderCollector
from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from protos.shopfront.v1.recommend_pb2 import RecommendRequest
from protos.shopfront.v1.recommend_pb2_grpc import RecommendServiceStub
from router.service.serving_state import ServingState
from server.connection_metrics import ConnectionMetrics
from server.ingress.connection_keeper import places, to_end
from server.ingress.open_connections import OpenConnection, accepted_connections, end_connections
from server.ingress.own_grpc import serve_in_process
from server.ingress.router_handle import RouterHandle
from server.ingress.sessions import program_of
from server.ingress_settings import IngressKind, LimitSettings, split_address
from server.settings import RouterSettings
from testing.running_router import as_processes
from testing.served_shop import make_shop

_IDLE = 4_200
# On both sides, and what the test's own process has open besides.
_FILES = 2 * _IDLE + 1_000
_NO_TRITON = "127.0.0.1:9"
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"


@contextmanager
def many_files(needed: int) -> Iterator[None]:
    """This process, and those it starts, may open so many files; the test is skipped where they may not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < needed:
        pytest.skip(f"this test opens {needed} files, and `ulimit -Hn` is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def connect(stack: ExitStack, address: str, count: int, greeting: bytes = b"") -> list[socket.socket]:
    """Connections from 127.0.0.1 that say no more than `greeting`."""
    opened = []
    for _ in range(count):
        connection = stack.enter_context(socket.socket())
        connection.settimeout(10)
        # Refused ones may be seen here already.
        with suppress(ConnectionResetError):
            connection.connect(split_address(address))
            if greeting:
                connection.sendall(greeting)
        opened.append(connection)
    return opened


def recommended(address: str) -> bool:
    """Whether a new caller, also from 127.0.0.1, is answered."""
    with grpc.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)]) as channel:
        answer = RecommendServiceStub(channel).Recommend(RecommendRequest(scene="home"), timeout=30)
        return bool(answer.items)


def router(folder: Path, kind: IngressKind, **limits: int | float) -> RouterSettings:
    """Settings of a router without Triton."""
    ingress = {"kind": kind, "address": "127.0.0.1:0", "limits": limits}
    return make_shop(folder).settings(
        _NO_TRITON, ingress=ingress, metrics={"enabled": True, "folder": str(folder / "metrics")}
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["haproxy", "grpc"])
def test_4200_idle_connections_from_one_address_keep_no_caller_out(tmp_path: Path, kind: IngressKind) -> None:
    with many_files(_FILES), as_processes(router(tmp_path, kind)) as ingress:
        assert recommended(ingress.address)
        for greeting in (b"", _PREFACE):
            with ExitStack() as stack:
                opened = connect(stack, ingress.address, _IDLE, greeting)
                assert recommended(ingress.address)
                assert not any(map(is_closed, opened[-1_000:])), "they were open meanwhile"


@pytest.mark.faults
@pytest.mark.parametrize("kind", ["haproxy", "grpc"])
def test_where_three_quarters_are_open_others_still_get_in(tmp_path: Path, kind: IngressKind) -> None:
    settings = router(tmp_path, kind, connections=200, connections_per_address=20, handshake_s=60.0)
    with as_processes(settings) as ingress, ExitStack() as stack:
        # What a HAProxy refused since it was last asked is not counted where another takes over.
        wait_for_the_last_haproxy(ingress.handle)
        opened = connect(stack, ingress.address, 400)
        if kind == "haproxy":
            # HAProxy cannot close one connection for another: who floods it gets no more, others do.
            host = socket.create_connection(
                split_address(ingress.address), timeout=10, source_address=("127.0.0.2", 0)
            )
            with host:
                host.sendall(_PREFACE)
                assert host.recv(9)[3] == 4, "HTTP/2 settings"
        else:
            assert recommended(ingress.address)
        until = time.monotonic() + 30
        counter = "refused" if kind == "haproxy" else "evicted"
        while not counted(settings, counter):
            assert time.monotonic() < until, "not counted"
            time.sleep(0.2)
        log = Path(settings.request_log.folder) / ("router.log" if kind == "haproxy" else "replicas.log")
        assert "limits.connections_per_address" in log.read_text()
        assert sum(is_closed(connection) for connection in opened) >= 200


def wait_for_the_last_haproxy(router: RouterHandle | None) -> None:
    """Until none has taken over for some seconds, as they do when replicas have come."""
    assert router is not None
    found, since = frozenset[int](), time.monotonic()
    deadline = since + 60
    while time.monotonic() < since + 3:
        assert time.monotonic() < deadline
        now = frozenset(each.pid for each in router.processes() if program_of(each) == "haproxy")
        if now != found:
            found, since = now, time.monotonic()
        time.sleep(0.2)


def counted(settings: RouterSettings, reason: str) -> float:
    """Connections that ended so, over all processes."""
    return sum(
        sample.value
        for family in FolderCollector(Path(settings.metrics.folder)).collect()
        for sample in family.samples
        if sample.name == "shopfront_connections_ended_total" and sample.labels["reason"] == reason
    )


def is_closed(connection: socket.socket) -> bool:
    """Whether the other side has ended it."""
    connection.setblocking(False)
    try:
        while data := connection.recv(4_096):
            assert data
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def open_ones(*each: tuple[str, float, bool]) -> list[OpenConnection]:
    return [OpenConnection(number, *values) for number, values in enumerate(each)]


def test_silent_ones_of_a_greedy_address_end_first_and_the_longest_idle_of_them() -> None:
    connections = open_ones(
        ("greedy", 9.0, False), ("greedy", 1.0, True), ("greedy", 2.0, True), ("modest", 500.0, True)
    )
    ended = [each.inode for each in to_end(connections, 4, per_address=1)]
    assert ended[:2] == [2, 1], "the surplus of the greedy one, silent and longest silent first"
    assert ended[2:] == [3, 0]
    assert [each.inode for each in to_end(connections, 1, per_address=10)] == [3]


@pytest.mark.parametrize(
    ("processes", "files", "expected"), [(1, 10_000, 1_000), (2, 10_000, 500), (2, 300, 44)]
)
def test_places_are_shared_and_end_where_files_do(processes: int, files: int, expected: int) -> None:
    assert places(LimitSettings(connections=1_000), processes, files) == expected


def test_the_kernel_says_who_is_idle_and_ends_only_whom_it_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as stack:
        port = listener.getsockname()[1]
        callers = connect(stack, f"127.0.0.1:{port}", 3)
        held = [stack.enter_context(listener.accept()[0]) for _ in callers]
        callers[1].sendall(bytes(100))
        callers[2].sendall(_PREFACE)
        assert held[1].recv(100, socket.MSG_WAITALL) == bytes(100)
        assert len(held[2].recv(100)) == len(_PREFACE)
        time.sleep(0.3)
        found = accepted_connections(port)
        assert sorted(each.silent for each in found) == [False, True, True]
        assert {each.address for each in found} == {"127.0.0.1"}
        assert all(each.idle_s >= 0.25 for each in found)
        talking = next(each for each in found if not each.silent)
        assert end_connections(port, frozenset({talking.inode})) == 1
        assert is_closed(callers[1])
        assert not is_closed(callers[0])


def test_looking_gives_up_no_lock_on_a_file(tmp_path: Path) -> None:
    # As LMDB locks its lock file: once given up, the next process to open it would make its lock anew.
    attempt = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    path = tmp_path / "lock.mdb"
    with path.open("w") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        accepted_connections(9)
        end_connections(9, frozenset({os.fstat(file.fileno()).st_ino}))
        refused = subprocess.run([sys.executable, "-c", attempt, str(path)], capture_output=True, check=False)
    assert b"BlockingIOError" in refused.stderr


class NoCalls:
    """A service that only says that it serves."""

    def serving_state(self) -> ServingState:
        return ServingState(True)


async def test_the_own_server_evicts_idle_ones_and_counts_them() -> None:
    metrics = ProcessMetrics()
    limits = LimitSettings(connections=40, connections_per_address=4, handshake_s=60.0)
    server = await serve_in_process(NoCalls(), limits=limits, metrics=metrics)  # type: ignore[arg-type]
    with ExitStack() as stack:
        async with grpc.aio.insecure_channel(server.address) as channel:
            check = health_pb2_grpc.HealthStub(channel).Check
            await check(health_pb2.HealthCheckRequest(), timeout=10)
            opened = connect(stack, server.address, 38)
            until = time.monotonic() + 20
            while sum(is_closed(connection) for connection in opened) < 10:
                assert time.monotonic() < until, "no idle connection was closed"
                await asyncio.sleep(0.1)
            # The one that had called before is not among them.
            await check(health_pb2.HealthCheckRequest(), timeout=10)
            assert channel.get_state() is grpc.ChannelConnectivity.READY
            server.check_alive()
    read = metrics.registry.get_sample_value
    assert (read("shopfront_connections_ended_total", {"reason": "evicted"}) or 0) >= 10
    await server.stop(0.1)
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="watch over connections"):
        server.check_alive()


def test_each_number_has_its_series() -> None:
    metrics = ProcessMetrics()
    group = metrics.group(ConnectionMetrics)
    group.open(7)
    group.refused(2)
    group.evicted(3)
    read = metrics.registry.get_sample_value
    assert read("shopfront_connections_open") == 7
    assert read("shopfront_connections_ended_total", {"reason": "refused"}) == 2
    assert read("shopfront_connections_ended_total", {"reason": "evicted"}) == 3
