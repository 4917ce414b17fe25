"""What breaks while shoppers wait: no request fails, answers say what is missing, all comes back."""

from __future__ import annotations

import os
import signal
import time

import pytest

from protos.shopfront.v1.recommend_pb2 import RecommendRequest
from recall.build import RECALL_FOLDER
from testing.repeating_clients import load
from testing.service_under_test import ServiceUnderTest
from testing.triton_models import add_tiny_version
from tests.router.engine.test_snapshot_watch import damage
from triton_repo.control import TritonControl

HOME = RecommendRequest(scene="home", user_id="u0001")


def test_triton_killed_under_load_costs_ranking_and_no_request(service: ServiceUnderTest) -> None:
    with load(service.ingress.address, HOME) as seen:
        whole = seen.wait_for(lambda answer: not answer.degraded)
        assert whole.model_name == "bst"
        assert service.triton.pid is not None
        os.kill(service.triton.pid, signal.SIGKILL)
        degraded = seen.wait_for(lambda answer: "ranking" in answer.degraded)
        assert len(degraded.items) == 20
        assert degraded.model_name == ""
        seen.settle(lambda answer: not answer.degraded)
    assert not seen.errors
    assert all(len(answer.items) == 20 for answer in seen.answers)


def test_a_new_snapshot_takes_over_without_a_dropped_request(service: ServiceUnderTest) -> None:
    before = service.shop.snapshots.current_id()
    with load(service.ingress.address, HOME) as seen:
        seen.wait_for(lambda answer: answer.snapshot_id == before)
        after = service.shop.publish(seed=2)
        seen.settle(lambda answer: answer.snapshot_id == after)
    assert not seen.errors
    assert {answer.snapshot_id for answer in seen.answers} == {before, after}
    assert not any(answer.degraded for answer in seen.answers)


def test_a_new_model_version_comes_with_its_snapshot(service: ServiceUnderTest) -> None:
    before = service.shop.snapshots.current_id()
    served = service.shop.models["bst"]
    version = add_tiny_version(service.triton.repository, "bst", seed=5)
    with load(service.ingress.address, HOME, clients=2) as seen:
        seen.wait_for(lambda answer: answer.snapshot_id == before)
        after = service.shop.publish(models={"bst": version, "mind": 1}, seed=4)
        time.sleep(1.0)
        # Triton has not loaded the version yet, so the snapshot waits.
        assert after not in {answer.snapshot_id for answer in seen.answers}
        with TritonControl(service.triton.grpc_url) as control:
            control.load("bst")
        seen.settle(lambda answer: answer.snapshot_id == after)
    assert not seen.errors
    assert not any(answer.degraded for answer in seen.answers)
    assert {(answer.snapshot_id, answer.model_version) for answer in seen.answers} == {
        (before, str(served)),
        (after, str(version)),
    }


def test_a_corrupt_snapshot_is_refused_and_the_old_one_serves(service: ServiceUnderTest) -> None:
    serving = service.shop.snapshots.current_id()
    assert serving is not None
    bad = service.shop.publish(seed=3, publish=False)
    damage(next((service.shop.snapshots.root / bad / RECALL_FOLDER / "hot").glob("*.npy")))
    with load(service.ingress.address, HOME, clients=2) as seen:
        service.shop.point_current_at(bad)
        until = time.monotonic() + 2
        while time.monotonic() < until:
            time.sleep(0.1)
    service.shop.point_current_at(serving)
    assert not seen.errors
    assert {answer.snapshot_id for answer in seen.answers} == {serving}


def test_scenes_reload_and_a_bad_edit_changes_nothing(service: ServiceUnderTest) -> None:
    good = service.shop.scenes.read_text()
    try:
        with load(service.ingress.address, RecommendRequest(scene="cart"), clients=2) as seen:
            seen.wait_for(lambda answer: len(answer.items) == 10)
            service.shop.scenes.write_text(good.replace("default_size: 10", "default_sise: 7"))
            time.sleep(1.0)
            service.shop.scenes.write_text(good.replace("default_size: 10", "default_size: 6"))
            seen.wait_for(lambda answer: len(answer.items) == 6)
        assert not seen.errors
        assert {len(answer.items) for answer in seen.answers} == {10, 6}
    finally:
        service.shop.scenes.write_text(good)


def test_a_killed_replica_costs_no_request(service: ServiceUnderTest) -> None:
    handle = service.ingress.handle
    if handle is None:
        pytest.skip("there is one replica, this process")
    replicas = handle.replica_pids()
    assert len(replicas) == 2
    # HAProxy sends a call again itself; where clients are connected to a replica, they must.
    with load(service.ingress.address, HOME, clients=8, retrying=service.ingress.kind != "haproxy") as seen:
        seen.wait_for(lambda answer: len(answer.items) == 20)
        os.kill(replicas[0], signal.SIGKILL)
        until = time.monotonic() + 60
        while len(set(handle.replica_pids()) - set(replicas)) < 1:
            assert time.monotonic() < until, "Ray Serve did not replace the replica"
            time.sleep(0.1)
        seen.wait_for(lambda answer: len(answer.items) == 20)
    assert not seen.errors
