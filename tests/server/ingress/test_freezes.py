"""Processes that stop answering: who asks once more is answered, events resume, and they are replaced."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import grpc
import msgspec
import psutil
import pytest

from benchmarks.running_workspace import title_of
from benchmarks.steady_load import LoadPlan, SteadyLoad, steady_load
from server.ingress.launcher import start_router
from server.ingress.router_handle import RouterHandle
from server.ingress.watch import RouterEvent, RouterWatcher
from server.ingress_settings import SupervisionSettings
from testing.frozen_processes import freeze_inside_write, frozen, killed_after
from testing.running_router import Ingress, watched
from testing.served_shop import ServedShop, make_shop
from testing.service_under_test import ServiceUnderTest
from testing.triton_server import tiny_triton
from tests.server.ingress import hanging_plugin
from tests.server.ingress.test_faults_after_one_retry import all_good, check, named, plan_of
from triton_repo.server import TritonServer

_HEAL_S = 120.0
# Far below the 60 s of a freeze, and far above what a busy machine makes of four.
_RESUMED_S = 40.0
_PATIENCE_S = 45.0


@dataclass(frozen=True)
class Supervised:
    """A router under its watcher, as `shopfront run` has it."""

    kind: str
    shop: ServedShop
    triton: TritonServer
    watcher: RouterWatcher
    events: queue.Queue[RouterEvent]

    @property
    def router(self) -> RouterHandle:
        """The router that serves now."""
        return self.watcher.router

    def find(self, name: str) -> list[int]:
        """Process ids of one kind of process."""
        if name == "replica":
            return self.router.replica_pids()[:1]
        if name == "router":
            return [min(self.router.pids(), key=lambda pid: psutil.Process(pid).create_time())]
        if name in ("triton", "model"):
            return self._triton_pids(name)
        return self._named(name)

    def _named(self, name: str) -> list[int]:
        """Waits, since one that an earlier test killed may be starting and have no title yet."""
        until = time.monotonic() + _HEAL_S
        while not (found := named(name)(self.router)):
            assert time.monotonic() < until, f"there is no {name} process"
            time.sleep(0.1)
        return found

    def _triton_pids(self, name: str) -> list[int]:
        """Waits, since one that an earlier test broke may be starting, its models after itself."""
        until = time.monotonic() + _HEAL_S
        while True:
            assert time.monotonic() < until, f"there is no {name} process"
            with suppress(psutil.NoSuchProcess):
                if (pid := self.triton.pid) is not None:
                    children = psutil.Process(pid).children(recursive=True)
                    models = [child.pid for child in children if "/bst/" in title_of(child)]
                    if models:
                        return [pid] if name == "triton" else models
            time.sleep(0.1)


@pytest.fixture(
    scope="module",
    params=[pytest.param("haproxy", marks=pytest.mark.slow), pytest.param("grpc", marks=pytest.mark.faults)],
)
def supervised(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Supervised]:
    """Every ingress in turn, with a shop and a Triton of its own."""
    folder: Path = tmp_path_factory.mktemp(request.param)
    shop = make_shop(folder)
    with tiny_triton(folder) as server, watched(server):
        settings = shop.settings(
            server.grpc_url,
            ingress={"kind": request.param, "address": "127.0.0.1:0"},
            # Many routers are lost in a short time here, and none of it for want of a good start.
            supervision={"steady_after_s": 0.1},
        )
        events: queue.Queue[RouterEvent] = queue.Queue()
        watcher = RouterWatcher(start_router(settings), events.put)
        watcher.start()
        try:
            yield Supervised(request.param, shop, server, watcher, events)
        finally:
            watcher.stop()


_numbers = iter(range(1_000_000, 100_000_000, 100_000))


def freeze(under_test: Supervised, name: str, seconds: float) -> float | None:
    """Freezes what is named, under a load that must be answered; after how many seconds it was killed."""
    while not under_test.events.empty():
        # Of an earlier test.
        under_test.events.get()
    kind, address = under_test.kind, under_test.router.address
    with grpc.insecure_channel(address) as channel:
        service = ServiceUnderTest(
            Ingress(kind, address, channel, under_test.router), under_test.shop, under_test.triton
        )
        plan = msgspec.structs.replace(plan_of(service, next(_numbers)), patience_s=_PATIENCE_S)
        with steady_load(plan) as load:
            assert load.wait_until(all_good, 1.0, _HEAL_S)
            if name == "lock":
                state = under_test.shop.folder / "state"
                replicas = under_test.router.replica_pids
                victims = [freeze_inside_write(address, state, replicas, plan.users[0], plan.items[0])]
            else:
                victims = under_test.find(name)
            assert victims
            began = time.monotonic()
            with frozen(victims) as processes:
                killed = killed_after(processes, seconds)
            assert load.wait_until(all_good, 2.0, _HEAL_S)
        check(service, load)
    assert longest_without_events(load, began) < _RESUMED_S
    return killed


def longest_without_events(load: SteadyLoad, since: float) -> float:
    """Seconds between two acknowledgements, the longest, from `since` on."""
    ended = [since, *sorted(call.ended for call in load.sent if call.kind == "events" and call.ok)]
    later = [each for each in ended if each >= since]
    return max(end - begin for begin, end in pairwise(later))


def wait_for(under_test: Supervised, kind: str) -> RouterEvent:
    """The next event of this kind."""
    until = time.monotonic() + _HEAL_S
    while True:
        event = under_test.events.get(timeout=max(0.1, until - time.monotonic()))
        if event.kind == kind:
            return event


def wait_for_successor(under_test: Supervised, before: RouterHandle) -> None:
    """Waits until another router serves."""
    until = time.monotonic() + _HEAL_S
    while under_test.router is before:
        assert time.monotonic() < until, f"no other router: {under_test.watcher.given_up}"
        time.sleep(0.1)


def test_a_replica_frozen_inside_a_write_is_killed_and_events_resume(supervised: Supervised) -> None:
    assert freeze(supervised, "lock", 20.0) is not None
    assert "ServeReplica" in wait_for(supervised, "stopped").detail
    until = time.monotonic() + _HEAL_S
    while len(supervised.router.replica_pids()) < 2:
        assert time.monotonic() < until, "it was not replaced"
        time.sleep(0.1)


def test_a_frozen_haproxy_is_killed_and_replaced(supervised: Supervised) -> None:
    if supervised.kind != "haproxy":
        pytest.skip("there is no HAProxy")
    assert freeze(supervised, "haproxy", 20.0) is not None


def test_the_frozen_process_of_the_router_is_replaced_with_its_ray(supervised: Supervised) -> None:
    if supervised.kind != "grpc":
        pytest.skip("one of the ingresses is enough, since both are watched alike")
    before = supervised.router
    assert freeze(supervised, "router", 10.0) is not None
    assert "the router's process ended with signal 9" in wait_for(supervised, "lost").detail
    wait_for_successor(supervised, before)


@pytest.mark.faults
@pytest.mark.parametrize("seconds", [2.0, 10.0, 60.0])
@pytest.mark.parametrize(
    "name", ["lock", "replica", "haproxy", "ray::ServeController", "ray::HAProxyManager", "triton", "model"]
)
def test_each_kind_of_process(supervised: Supervised, name: str, seconds: float) -> None:
    if supervised.kind != "haproxy" and name in ("haproxy", "ray::HAProxyManager"):
        pytest.skip("there is no HAProxy")
    killed = freeze(supervised, name, seconds)
    if seconds > 10.0:
        # Of a shorter freeze the process may have come back by itself.
        assert killed is not None, "it does not answer and was not replaced"


@pytest.mark.faults
@pytest.mark.parametrize("seconds", [10.0, 60.0])
@pytest.mark.parametrize("name", ["raylet", "gcs_server", "router"])
def test_each_process_of_ray(supervised: Supervised, name: str, seconds: float) -> None:
    before = supervised.router
    assert freeze(supervised, name, seconds) is not None
    wait_for_successor(supervised, before)


@pytest.mark.slow
def test_a_router_that_gives_no_sign_of_life_is_lost(tmp_path: Path) -> None:
    supervision = SupervisionSettings(router_silent_s=1.0)
    settings = make_shop(tmp_path).settings(
        "127.0.0.1:9", ingress={"kind": "grpc", "address": "127.0.0.1:0", "replicas": 1}
    )
    router = start_router(settings.model_copy(update={"supervision": supervision}))
    try:
        time.sleep(2.0)
        assert router.loss() is None
        leader = min(router.pids(), key=lambda pid: psutil.Process(pid).create_time())
        with frozen([leader]):
            until = time.monotonic() + 30
            while (loss := router.loss()) is None:
                assert time.monotonic() < until
                time.sleep(0.1)
        assert "has given no sign of life" in loss
    finally:
        router.stop()


@pytest.mark.faults
@pytest.mark.parametrize("kind", ["haproxy", "grpc"])
def test_a_replica_whose_event_loop_hangs_is_killed_and_replaced(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "hang"
    monkeypatch.setenv(hanging_plugin.VARIABLE, str(file))
    shop = make_shop(tmp_path)
    ingress = {"kind": kind, "address": "127.0.0.1:0", "health_check_timeout_s": 2.0}
    settings = shop.settings("127.0.0.1:9", ingress=ingress)
    router = start_router(settings, plugins=(hanging_plugin.__name__,))
    try:
        before = router.replica_pids()
        users = shop.dataset.users()["user_id"].to_list()
        items = shop.dataset.catalogue.item_ids(shop.dataset.catalogue.popularity.argsort()[-20:])
        plan = LoadPlan(
            router.address, "home", users, items, 15.0, 15.0, returns_when_told=True, patience_s=_PATIENCE_S
        )
        with steady_load(plan) as load:
            assert load.wait_until(all_good, 1.0, _HEAL_S)
            file.touch()
            until = time.monotonic() + _HEAL_S
            while file.exists():
                assert time.monotonic() < until, "no replica hangs"
                time.sleep(0.05)
            (taken,) = tmp_path.glob("hang.*")
            hanging = int(taken.suffix.removeprefix("."))
            assert hanging in before
            while hanging in (now := router.replica_pids()) or len(now) < 2:
                assert time.monotonic() < until, "it was not replaced"
                time.sleep(0.1)
            assert load.wait_until(all_good, 2.0, _HEAL_S)
        # Callers whose calls hung all come at once to the other replica, which may refuse what it cannot
        # answer in time, and says when to come back: "RESOURCE_EXHAUSTED after a fault" in
        # docs/manual/faults.md.
        assert not [call for call in load.sent if not call.ok and call.with_ids]
    finally:
        router.stop()
