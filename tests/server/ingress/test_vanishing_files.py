"""Files under a running router are filled up, cut off and damaged: no replica dies, or it says of what."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

import grpc
import pytest

from foundation.telemetry.metrics import serve_metrics
from protos.shopfront.v1.event_pb2 import EVENT_TYPE_VIEW, Event, ReportEventsRequest
from protos.shopfront.v1.recommend_pb2 import RecommendRequest, RecommendResponse
from server.ingress.watch import RouterEvent, RouterWatcher
from testing.running_router import Ingress, as_processes
from testing.served_shop import make_shop
from testing.small_disk import can_mount, mounted_disk

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

NO_TRITON = "127.0.0.1:9"


@dataclass
class Watched:
    """A router whose metrics lie on a small disk, and what its watcher reported."""

    ingress: Ingress
    folder: Path
    disk: Path
    metrics_port: int
    events: list[RouterEvent] = field(default_factory=list)

    def ask(self) -> RecommendResponse:
        """An answer for a shopper that is known."""
        request = RecommendRequest(scene="home", user_id="u0001", page_size=5)
        return self.ingress.recommend.Recommend(request, timeout=30, wait_for_ready=True)

    def report(self) -> grpc.StatusCode:
        """The status of an event."""
        event = Event(user_id="u0001", item_id="i0001", type=EVENT_TYPE_VIEW)
        try:
            self.ingress.events.ReportEvents(ReportEventsRequest(events=[event]), timeout=30)
        except grpc.RpcError as error:
            return error.code()
        return grpc.StatusCode.OK

    def replicas(self) -> list[int]:
        """Process ids of the replicas."""
        assert self.ingress.handle is not None
        return sorted(self.ingress.handle.replica_pids())

    def metrics(self) -> str:
        """What Prometheus reads."""
        with urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=30) as response:
            return response.read().decode()


@pytest.fixture(scope="module")
def router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    if not can_mount():
        pytest.skip("mounting a disk takes root")
    folder = tmp_path_factory.mktemp("vanishing")
    shop = make_shop(folder)
    shop.publish(seed=2)
    with mounted_disk(folder / "disk") as disk:
        server = serve_metrics(0, disk / "metrics")
        settings = shop.settings(
            NO_TRITON,
            ingress={"kind": "haproxy", "address": "127.0.0.1:0"},
            metrics={"enabled": True, "folder": str(disk / "metrics")},
        )
        with as_processes(settings) as ingress:
            assert ingress.handle is not None
            watched = Watched(ingress, folder, disk, server.port)
            watcher = RouterWatcher(ingress.handle, watched.events.append, restarts=False)
            watcher.start()
            try:
                yield watched
            finally:
                watcher.stop()
        server.close()


def until(condition: Callable[[], bool]) -> None:
    """Waits for what happens in other processes."""
    give_up = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.1)


def test_a_full_disk_under_the_metrics_ends_no_replica(router: Watched) -> None:
    before = router.replicas()
    filler = router.disk / "filler"
    filler.write_bytes(bytes(shutil.disk_usage(router.disk).free))
    for _ in range(50):
        assert len(router.ask().items) == 5
    time.sleep(1.0)
    assert len(router.ask().items) == 5
    filler.unlink()
    until(
        lambda: 'shopfront_requests_total{code="OK",method="Recommend",scene="home"} 51.0' in router.metrics()
    )
    assert router.replicas() == before
    assert router.events == []


def test_a_replica_that_the_kernel_ends_is_named_in_a_line(router: Watched) -> None:
    before = router.replicas()
    os.kill(before[0], signal.SIGBUS)
    until(lambda: bool(router.events))
    (event,) = router.events
    assert event.kind == "crashed"
    assert event.detail.startswith("a replica died: Bus error: a mapped file was shortened")
    assert "crashes.log" in event.detail
    until(lambda: len(router.replicas()) == 2 and before[0] not in router.replicas())
    router.events.clear()


def test_state_that_is_cut_off_is_unavailable_and_ends_no_replica(router: Watched) -> None:
    assert router.report() is grpc.StatusCode.OK
    until(lambda: "shopfront_state_available 1.0" in router.metrics())
    before = router.replicas()
    os.truncate(router.folder / "state" / "data.mdb", 0)
    for _ in range(20):
        answer = router.ask()
        assert len(answer.items) == 5
        assert "state" in answer.degraded
    assert router.report() is grpc.StatusCode.UNAVAILABLE
    until(lambda: "shopfront_state_available 0.0" in router.metrics())
    assert router.replicas() == before
    assert router.events == []


def test_a_snapshot_that_is_cut_off_is_left_for_the_one_before(router: Watched) -> None:
    """A replica that touches it before it looks at the sizes dies; the next one starts beside it."""
    current = router.ask().snapshot_id
    for file in (router.folder / "snapshots" / current).rglob("*.npy"):
        os.truncate(file, 0)
    others = {folder.name for folder in (router.folder / "snapshots").iterdir()} - {current, "current"}
    served = []

    def answered() -> str:
        try:
            return router.ask().snapshot_id
        except grpc.RpcError as error:
            return str(error.code())

    def settled() -> bool:
        served.append(answered())
        # Not a failed call among them: those end once no replica has the files mapped any more.
        return len(served) >= 20 and all(each in others for each in served[-20:])

    until(settled)
    assert len(set(served[-20:])) == 1
    assert 'result="fallback"' in router.metrics()
