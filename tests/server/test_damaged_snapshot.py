"""Bytes that change in mapped arrays while calls are answered: another snapshot serves, or health says so."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from protos.shopfront.v1.recommend_pb2 import RecommendRequest
from server.startup import start_service
from testing.running_router import Ingress, in_process
from testing.served_shop import ServedShop, make_shop

NO_TRITON = "127.0.0.1:1"
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture
def shop(tmp_path: Path) -> ServedShop:
    return make_shop(tmp_path)


@contextmanager
def served(shop: ServedShop) -> Iterator[Ingress]:
    """The shop in this process; its snapshot is verified by schedule only after a long time."""
    settings = shop.settings(
        NO_TRITON,
        snapshots={"verify_interval_s": 3_600.0, "verify_after_bug_s": 0.1},
        metrics={"enabled": False},
    )
    with in_process(settings) as ingress:
        yield ingress


def overwrite(shop: ServedShop, id: str) -> dict[Path, bytes]:
    """Writes over every mapped array of whole numbers, in place; returns what the files held."""
    before = {}
    for file in (shop.snapshots.root / id).rglob("*.npy"):
        array = np.load(file)
        if array.dtype == np.int32 and array.size:
            before[file] = file.read_bytes()
            file.chmod(0o600)
            put(file, before[file][: -array.nbytes] + b"\x7f" * array.nbytes)
    return before


def put(file: Path, content: bytes) -> None:
    """Writes in place: a mapped file must not be shorter for a moment."""
    with file.open("r+b") as stream:
        stream.write(content)


def ask(ingress: Ingress) -> tuple[grpc.StatusCode, str]:
    """Status of a call, and the snapshot that answered it."""
    try:
        answer = ingress.recommend.Recommend(RecommendRequest(scene="home", page_size=5), timeout=20)
    except grpc.RpcError as error:
        return error.code(), ""
    return grpc.StatusCode.OK, answer.snapshot_id


def health(ingress: Ingress) -> int:
    """What a load balancer is told."""
    stub = health_pb2_grpc.HealthStub(ingress.channel)
    return int(stub.Check(health_pb2.HealthCheckRequest(), timeout=20).status)


def wait_for(ingress: Ingress, snapshot: str) -> list[grpc.StatusCode]:
    """Asks until the snapshot answers; the codes of all calls before."""
    codes = []
    give_up = time.monotonic() + 30
    while time.monotonic() < give_up:
        code, id = ask(ingress)
        if id == snapshot:
            return codes
        codes.append(code)
    raise AssertionError(f"{snapshot} does not answer: {codes[-20:]}")


def test_calls_that_fail_on_damaged_bytes_bring_back_the_snapshot_before(shop: ServedShop) -> None:
    before = shop.snapshots.current_id()
    assert before is not None
    current = shop.publish(seed=2)
    with served(shop) as ingress:
        assert ask(ingress) == (grpc.StatusCode.OK, current)
        overwrite(shop, current)
        codes = wait_for(ingress, before)
        assert grpc.StatusCode.INTERNAL in codes
        assert [ask(ingress) for _ in range(20)] == [(grpc.StatusCode.OK, before)] * 20
        assert health(ingress) == SERVING
        # A process that starts now serves it too.
    with served(shop) as ingress:
        assert ask(ingress) == (grpc.StatusCode.OK, before)
        newest = shop.publish(models={}, seed=3)
        wait_for(ingress, newest)


def test_health_tells_where_none_is_intact_and_when_one_is_again(shop: ServedShop) -> None:
    only = shop.snapshots.current_id()
    assert only is not None
    with served(shop) as ingress:
        assert health(ingress) == SERVING
        before = overwrite(shop, only)
        assert ask(ingress)[0] is grpc.StatusCode.INTERNAL
        give_up = time.monotonic() + 30
        while health(ingress) != NOT_SERVING:
            assert time.monotonic() < give_up
            time.sleep(0.05)
        for file, content in before.items():
            put(file, content)
        assert ask(ingress)[0] is grpc.StatusCode.OK
        shop.publish(seed=2)
        while health(ingress) != SERVING:
            assert time.monotonic() < give_up
            time.sleep(0.05)
        assert ask(ingress)[0] is grpc.StatusCode.OK


async def test_a_process_counts_that_it_started_beside_the_published_one(shop: ServedShop) -> None:
    before = shop.snapshots.current_id()
    current = shop.publish(seed=2)
    overwrite(shop, current)
    running = await start_service(shop.settings(NO_TRITON))
    try:
        assert running.live.current.snapshot_id == before
        count = running.metrics.registry.get_sample_value
        assert count("shopfront_snapshot_loads_total", {"result": "fallback"}) == 1.0
        assert count("shopfront_snapshot_damaged") == 0.0
    finally:
        await running.stop()
