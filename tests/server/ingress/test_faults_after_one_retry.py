"""What dies while calls keep coming: who asks once more is answered, and events are stored once.

A call that a machine without a processor to spare refuses comes back when it was told to.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence

import psutil
import pytest

from benchmarks.running_workspace import title_of
from benchmarks.steady_load import LoadPlan, Sent, SteadyLoad, steady_load
from server.ingress.router_handle import RouterHandle
from state.registry import open_state
from state.settings import StateSettings
from testing.served_shop import ServedShop
from testing.service_under_test import ServiceUnderTest

_HEAL_S = 60.0


def all_good(calls: Sequence[Sent]) -> bool:
    """Whether nothing had to be sent again."""
    return all(call.first == "OK" for call in calls)


def plan_of(service: ServiceUnderTest, first_number: int) -> LoadPlan:
    """A load far below the service's capacity, with time for a machine that is busy with other tests."""
    dataset = service.shop.dataset
    return LoadPlan(
        service.ingress.address,
        "home",
        dataset.users()["user_id"].to_list(),
        dataset.catalogue.item_ids(dataset.catalogue.popularity.argsort()[-20:]),
        recommend_per_s=15.0,
        events_per_s=15.0,
        patience_s=_HEAL_S,
        returns_when_told=True,
        first_number=first_number,
    )


def killed(
    service: ServiceUnderTest, find: Callable[[RouterHandle], list[int]], first_number: int
) -> SteadyLoad:
    """A load during which what `find` finds was killed and replaced."""
    handle = service.ingress.handle
    assert handle is not None
    with steady_load(plan_of(service, first_number)) as load:
        assert load.wait_until(all_good, 1.0, _HEAL_S)
        victims = find(handle)
        assert victims
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        until = time.monotonic() + _HEAL_S
        while not set(find(handle)) - set(victims):
            assert time.monotonic() < until, "it was not replaced"
            time.sleep(0.1)
        assert load.wait_until(all_good, 2.0, _HEAL_S)
    return load


def named(title: str) -> Callable[[RouterHandle], list[int]]:
    """Finds the router's processes whose program or title begins so."""

    def find(handle: RouterHandle) -> list[int]:
        return [
            process.pid
            for process in handle.processes()
            if title_of(process).startswith(title) or name_of(process) == title
        ]

    return find


def name_of(process: psutil.Process) -> str:
    """The name of its program, whose path may contain blanks; "" where the process is gone."""
    try:
        return process.name()
    except psutil.Error:
        return ""


def logged(shop: ServedShop) -> Counter[str]:
    """How often the event log has each event of a load."""
    store = open_state(StateSettings(url=f"lmdb://{shop.folder / 'state'}"))
    try:
        return Counter(event.session_id for _, event in store.read_log())
    finally:
        store.close()


def check(service: ServiceUnderTest, load: SteadyLoad) -> None:
    """Nobody went without an answer, and each acknowledged event is in the log once."""
    failed = [call for call in load.sent if not call.ok and (call.with_ids or call.status != "UNAVAILABLE")]
    # Details first: pytest cuts long values.
    assert not [(call.kind, call.first, call.status, call.detail) for call in failed]
    found = logged(service.shop)
    acknowledged = [id for call in load.sent if call.kind == "events" and call.ok for id in call.events]
    assert len(acknowledged) > 20
    assert {id: found[id] for id in acknowledged if found[id] != 1} == {}


def skip_in_process(service: ServiceUnderTest) -> None:
    if service.ingress.handle is None:
        pytest.skip("there is one process, this one")


def test_a_killed_replica_loses_and_doubles_no_event(service: ServiceUnderTest) -> None:
    skip_in_process(service)
    check(service, killed(service, lambda handle: handle.replica_pids()[:1], 1_000_000))


def test_a_killed_controller_costs_no_call(service: ServiceUnderTest) -> None:
    skip_in_process(service)
    load = killed(service, named("ray::ServeController"), 2_000_000)
    check(service, load)


def test_a_killed_haproxy_costs_one_retry(service: ServiceUnderTest) -> None:
    if service.ingress.kind != "haproxy":
        pytest.skip("there is no HAProxy")
    load = killed(service, named("haproxy"), 3_000_000)
    check(service, load)
    # Also while a fresh HAProxy knows no replica yet. A replica that everybody comes to at once may refuse.
    assert {call.first for call in load.sent} <= {"OK", "UNAVAILABLE", "RESOURCE_EXHAUSTED"}


def test_behind_haproxy_events_without_an_id_get_one(service: ServiceUnderTest) -> None:
    skip_in_process(service)
    with steady_load(plan_of(service, 4_000_000)) as load:
        assert load.wait_until(all_good, 2.0, _HEAL_S)
    sent = {id for call in load.sent if not call.with_ids and call.ok for id in call.events}
    store = open_state(StateSettings(url=f"lmdb://{service.shop.folder / 'state'}"))
    try:
        ids = [event.event_id for _, event in store.read_log() if event.session_id in sent]
    finally:
        store.close()
    assert len(ids) == len(sent) > 0
    if service.ingress.kind == "haproxy":
        assert all(re.fullmatch(r"[0-9a-f-]{36}:[0-2]", id) for id in ids)
        assert len(set(ids)) == len(ids)
    else:
        assert set(ids) == {""}
