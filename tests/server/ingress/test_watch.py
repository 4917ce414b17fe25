"""A router that is lost is replaced: by rule with stand-ins, and for real with its processes killed."""

from __future__ import annotations

import os
import queue
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmarks.steady_load import LoadPlan, steady_load
from server.ingress import watch
from server.ingress.launcher import RouterStartError, start_router
from server.ingress.router_handle import RouterHandle
from server.ingress.sessions import program_of
from server.ingress.watch import RouterEvent, RouterWatcher
from server.ingress_settings import IngressKind
from server.settings import RouterSettings
from state.registry import open_state
from testing.served_shop import make_shop
from triton_repo.process_ends import is_alive

NO_TRITON = "127.0.0.1:9"
HEAL_S = 150.0


class StandIn:
    """A router without processes."""

    def __init__(self, settings: RouterSettings) -> None:
        self.settings = settings
        self.plugins = ("my_shop.parts",)
        self.address = settings.ingress.address
        self.lost: str | None = None
        self.living: list[psutil.Process] = []
        self.ended = 0
        self.stopped = 0

    def loss(self) -> str | None:
        return self.lost

    def processes(self) -> list[psutil.Process]:
        return self.living

    def end(self) -> None:
        self.ended += 1

    def stop(self) -> None:
        self.stopped += 1


class Starts:
    """Starts stand-ins, or fails, as a test says; remembers how it was asked."""

    def __init__(self, outcomes: list[str | None]) -> None:
        self.outcomes = outcomes
        self.shared: list[bool] = []
        self.plugins: list[tuple[str, ...]] = []
        self.started: list[StandIn] = []

    def __call__(
        self,
        settings: RouterSettings,
        *,
        plugins: tuple[str, ...],
        share_address: bool,
        cancel: threading.Event,
    ) -> Any:
        self.shared.append(share_address)
        self.plugins.append(plugins)
        outcome = self.outcomes.pop(0)
        if outcome is not None:
            raise RouterStartError(outcome)
        self.started.append(StandIn(settings))
        return self.started[-1]


def settings(**supervision: Any) -> RouterSettings:
    quick = {"restart_initial_s": 0.01, "restart_max_s": 0.02}
    return RouterSettings.model_validate({"supervision": quick | supervision})


def watched(
    router: Any, monkeypatch: pytest.MonkeyPatch, starts: Callable[..., Any], *, restarts: bool = True
) -> tuple[RouterWatcher, queue.Queue[RouterEvent]]:
    monkeypatch.setattr(watch, "start_router", starts)
    events: queue.Queue[RouterEvent] = queue.Queue()
    watcher = RouterWatcher(router, events.put, restarts=restarts, randomness=random.Random(1))
    watcher.start()
    return watcher, events


def kinds(events: queue.Queue[RouterEvent], count: int) -> list[tuple[str, int]]:
    found = [events.get(timeout=10) for _ in range(count)]
    return [(event.kind, event.attempt) for event in found]


def test_the_first_successor_shares_the_address_with_what_is_left_and_later_ones_follow_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, starts = StandIn(settings()), Starts(["taken", "taken", None])
    watcher, events = watched(first, monkeypatch, starts)
    first.lost = "its process ended"
    assert kinds(events, 4) == [("lost", 0), ("failed", 1), ("failed", 2), ("restarted", 3)]
    assert starts.shared == [True, False, False]
    assert starts.plugins == [("my_shop.parts",)] * 3
    assert watcher.router is starts.started[0]  # type: ignore[comparison-overlap]
    assert first.ended >= 1
    watcher.stop()
    assert starts.started[0].stopped == 1
    assert watcher.given_up == ""


@pytest.mark.slow
def test_a_process_that_is_stopped_for_long_is_killed_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        router = StandIn(settings(stopped_after_s=0.2))
        router.living = [psutil.Process(child.pid)]
        watcher, events = watched(router, monkeypatch, Starts([]))
        with pytest.raises(queue.Empty):
            events.get(timeout=1.0)
        os.kill(child.pid, signal.SIGSTOP)
        event = events.get(timeout=20)
        assert event.kind == "stopped"
        assert f"(process {child.pid}) was stopped for 0.2 s and has been killed" in event.detail
        assert child.wait(20) == -signal.SIGKILL
        router.living = []
        watcher.stop()


def test_starts_that_fail_in_a_row_end_the_watch_with_the_last_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, starts = StandIn(settings(max_starts=2)), Starts(["no snapshot", "no scenes"])
    watcher, events = watched(first, monkeypatch, starts)
    first.lost = "its process ended"
    assert kinds(events, 4) == [("lost", 0), ("failed", 1), ("failed", 2), ("given_up", 2)]
    assert watcher.given_up == "no scenes (2 starts in a row failed or ended early)"
    watcher.stop()
    assert starts.outcomes == []


def test_routers_that_end_early_count_as_failed_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    first, starts = StandIn(settings(max_starts=2)), Starts([None, None])
    watcher, events = watched(first, monkeypatch, starts)
    first.lost = "first"
    assert kinds(events, 2) == [("lost", 0), ("restarted", 1)]
    starts.started[0].lost = "second"
    assert kinds(events, 2) == [("lost", 1), ("restarted", 2)]
    starts.started[1].lost = "third"
    assert kinds(events, 2) == [("lost", 2), ("given_up", 2)]
    assert watcher.given_up.startswith("third")
    watcher.stop()


def test_a_router_that_lived_long_enough_begins_the_count_again(monkeypatch: pytest.MonkeyPatch) -> None:
    first, starts = StandIn(settings(max_starts=1, steady_after_s=0.001)), Starts([None, None])
    watcher, events = watched(first, monkeypatch, starts)
    first.lost = "first"
    assert kinds(events, 2) == [("lost", 0), ("restarted", 1)]
    time.sleep(0.01)
    starts.started[0].lost = "second"
    assert kinds(events, 2) == [("lost", 0), ("restarted", 1)]
    watcher.stop()


def test_where_others_start_it_anew_a_lost_router_is_given_up_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, starts = StandIn(settings()), Starts([])
    watcher, events = watched(first, monkeypatch, starts, restarts=False)
    first.lost = "Ray's raylet has died"
    assert kinds(events, 2) == [("lost", 0), ("given_up", 0)]
    assert watcher.given_up == "Ray's raylet has died"
    watcher.stop()
    assert first.stopped == 1


def test_stopping_ends_a_start_that_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    first, under_way = StandIn(settings()), threading.Event()

    def start(
        settings: RouterSettings, *, plugins: object, share_address: bool, cancel: threading.Event
    ) -> Any:
        under_way.set()
        assert cancel.wait(10)
        raise RouterStartError("it is told to stop")

    watcher, events = watched(first, monkeypatch, start)
    first.lost = "its process ended"
    assert under_way.wait(10)
    watcher.stop()
    assert kinds(events, 1) == [("lost", 0)]
    assert first.stopped == 1
    assert events.empty()


def victim_of(router: RouterHandle, name: str) -> int:
    """Process id of the router's own process ("router") or of one of Ray's, by its program."""
    (found,) = [
        process.pid
        for process in router.processes()
        if (process.pid == os.getsid(process.pid) if name == "router" else program_of(process) == name)
    ]
    return found


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("kind", "victims"),
    [
        ("grpc", ["gcs_server", "router"]),
        # In make test, tests/shopfront/test_run.py kills the raylet of a router behind HAProxy.
        pytest.param("haproxy", ["raylet"], marks=pytest.mark.faults),
    ],
)
def test_a_router_whose_parts_are_killed_is_replaced_at_its_address_and_loses_no_event(
    kind: IngressKind, victims: list[str], tmp_path: Path
) -> None:
    shop = make_shop(tmp_path)
    router = start_router(
        shop.settings(
            NO_TRITON,
            ingress={"kind": kind, "address": "127.0.0.1:0", "replicas": 1},
            supervision={"restart_initial_s": 0.1},
        )
    )
    events: queue.Queue[RouterEvent] = queue.Queue()
    watcher = RouterWatcher(router, events.put)
    watcher.start()
    seen = router.processes()
    plan = LoadPlan(
        router.address,
        "home",
        shop.dataset.users()["user_id"].to_list(),
        shop.dataset.catalogue.item_ids(shop.dataset.catalogue.popularity.argsort()[-20:]),
        recommend_per_s=3.0,
        events_per_s=3.0,
        patience_s=HEAL_S,
        returns_when_told=True,
    )
    try:
        with steady_load(plan) as load:
            assert load.wait_until(lambda calls: all(call.ok for call in calls), 1.0, HEAL_S, least=2)
            for victim in victims:
                before = watcher.router
                os.kill(victim_of(before, victim), signal.SIGKILL)
                lost = events.get(timeout=HEAL_S)
                assert lost.kind == "lost"
                assert ("signal 9" if victim == "router" else victim) in lost.detail
                assert events.get(timeout=HEAL_S).kind == "restarted"
                assert watcher.router is not before
                assert watcher.router.address == router.address
                assert not before.processes(), "what was left of the router goes on"
                assert load.wait_until(lambda calls: all(call.ok for call in calls), 1.0, HEAL_S, least=2)
                seen += watcher.router.processes()
    finally:
        watcher.stop()
    assert not [process for process in seen if is_alive(process)]
    assert not [call for call in load.sent if not call.ok and call.with_ids]
    store = open_state(shop.settings(NO_TRITON).state)
    try:
        logged = Counter(event.session_id for _, event in store.read_log())
    finally:
        store.close()
    acknowledged = [id for call in load.sent if call.kind == "events" and call.ok for id in call.events]
    assert len(acknowledged) > 10
    assert {id: logged[id] for id in acknowledged if logged[id] != 1} == {}
