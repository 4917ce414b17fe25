"""The replica that leads a rollout is killed in the middle of it, a real process: another takes the lead."""

from __future__ import annotations

import os
import re
import signal
import time

import psutil
import pytest

from protos.shopfront.v1 import rollout_pb2
from testing.faulty_versions import add_version, shuffled_weights, similar_weights
from testing.rollout_traffic import Traffic, shoppers, stage
from testing.service_under_test import ServiceUnderTest

pytestmark = pytest.mark.slow


def kill_leader(service: ServiceUnderTest, status: rollout_pb2.RolloutStatus) -> str:
    """Ends the leading replica, and no other, with SIGKILL; its name."""
    found = re.search(r"-(\d+)-[0-9a-f]{6}$", status.leader)
    assert found, f"nobody leads: {status}"
    pid = int(found[1])
    replicas = service.replica_pids()
    assert pid in replicas
    assert len(replicas) == 2
    process = psutil.Process(pid)
    os.kill(pid, signal.SIGKILL)
    process.wait(10)
    return status.leader


def leaders(service: ServiceUnderTest, rollout: str) -> list[str]:
    """Those who led a rollout, in turn."""
    return [
        event.actor
        for event in service.operator.history()
        if event.rollout_id == rollout and event.event == "led"
    ]


def until_led(service: ServiceUnderTest) -> rollout_pb2.RolloutStatus:
    """The status of a rollout that runs and has a leader."""
    status = service.operator.wait_until("running")
    end = time.monotonic() + 20
    while not status.leader:
        assert time.monotonic() < end
        time.sleep(0.05)
        status = service.operator.status()
    return status


def wait_for_both(service: ServiceUnderTest) -> None:
    """Returns once two replicas are there again and each answers."""
    end = time.monotonic() + 60
    while len(service.replica_pids()) < 2:
        assert time.monotonic() < end, "the killed replica is not started again"
        time.sleep(0.2)


def shoppers_on_both_sides(service: ServiceUnderTest, traffic: Traffic, rollout: str) -> set[str]:
    """Shoppers whom both arms answered while there were two, to within a second of its end."""
    whole = min(
        event.at_ms / 1000.0
        for event in service.operator.history()
        if event.rollout_id == rollout and event.weight_bp == 10_000
    )
    until = whole - (time.time() - time.monotonic()) - 1.0
    found: dict[str, set[str]] = {}
    for answer in traffic.answers:
        if answer.at < until:
            found.setdefault(answer.user, set()).update(answer.arms.values())
    assert {"candidate"} in found.values()
    assert {"baseline"} in found.values()
    return {user for user, arms in found.items() if len(arms) > 1}


def test_a_good_version_is_promoted_by_the_replica_that_is_left(service: ServiceUnderTest) -> None:
    version = add_version(service.triton.repository, service.dataset, weights=similar_weights())
    with shoppers(service.address) as traffic:
        started = service.operator.start(
            version, [stage(2_000, 3.0, 60), stage(5_000, 3.0, 100), stage(10_000, 0.5, 50)]
        )
        dead = kill_leader(service, until_led(service))
        ended = service.operator.wait_until("promoted", "rolled_back")
        assert ended.phase == "promoted", ended.reason
        wait_for_both(service)
        time.sleep(1.0)
        after = time.monotonic()
        time.sleep(1.5)
    assert not traffic.errors
    led = leaders(service, started.rollout_id)
    assert led[0] == dead
    assert len(led) > 1
    assert dead not in led[1:]
    assert not shoppers_on_both_sides(service, traffic, started.rollout_id)
    assert {answer.version for answer in traffic.since(after)} == {str(version)}, "a replica has not followed"


def test_a_bad_version_is_rolled_back_by_the_replica_that_is_left(service: ServiceUnderTest) -> None:
    wait_for_both(service)
    before = service.operator.status().stable_version
    version = add_version(service.triton.repository, service.dataset, weights=shuffled_weights())
    # Prepared on the replicas' own queries: nobody can have judged it before its leader dies.
    started = service.operator.start(version, [stage(5_000, 0.5, 100)])
    dead = kill_leader(service, until_led(service))
    began = time.monotonic()
    with shoppers(service.address) as traffic:
        ended = service.operator.wait_until("rolled_back")
        wait_for_both(service)
        time.sleep(1.0)
        after = time.monotonic()
        time.sleep(1.5)
    assert not traffic.errors
    assert "drift" in ended.reason
    led = leaders(service, started.rollout_id)
    assert led[0] == dead
    assert len(led) > 1
    assert dead not in led[1:]
    assert traffic.touched(began, version), "it was never in traffic"
    assert {answer.version for answer in traffic.since(after)} == {str(before)}, "a replica has not followed"
