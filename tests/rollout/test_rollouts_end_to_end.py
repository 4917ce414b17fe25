"""Rollouts as shoppers and operators see them: two replicas, a real Triton, real model versions."""

from __future__ import annotations

import time

import grpc
import pytest

from protos.shopfront.v1 import event_pb2
from protos.shopfront.v1.event_pb2_grpc import EventServiceStub
from protos.shopfront.v1.recommend_pb2 import RecommendRequest, RecommendResponse
from protos.shopfront.v1.recommend_pb2_grpc import RecommendServiceStub
from rollout.counting import sum_counts
from rollout.lmdb_store import LmdbRolloutStore
from testing.faulty_versions import add_version, dying, shuffled_weights, similar_weights
from testing.rollout_traffic import Operator, shoppers, stage
from testing.service_under_test import ServiceUnderTest
from triton_repo.control import TritonControl

pytestmark = pytest.mark.slow

TRAFFIC_ONLY = [stage(2_000, 0.5, 60), stage(5_000, 0.5, 100)]
WITH_SHADOW = [stage(0, 0.5, 30), *TRAFFIC_ONLY, stage(10_000, 0.5, 50)]


def loaded(service: ServiceUnderTest) -> list[int]:
    """Versions of bst that Triton answers."""
    with TritonControl(service.triton.grpc_url) as control:
        return control.ready_versions("bst")


def wait_loaded(service: ServiceUnderTest, versions: list[int], timeout_s: float = 20.0) -> None:
    """Returns once exactly these versions of bst are loaded."""
    until = time.monotonic() + timeout_s
    while (found := loaded(service)) != versions:
        assert time.monotonic() < until, f"loaded are {found}, not {versions}"
        time.sleep(0.1)


def stable(service: ServiceUnderTest) -> int:
    """The version that serves by default."""
    return service.operator.status().stable_version


def test_shuffled_scores_are_rolled_back_in_shadow_and_touch_nobody(service: ServiceUnderTest) -> None:
    version = add_version(service.triton.repository, service.dataset, weights=shuffled_weights())
    began = time.monotonic()
    with shoppers(service.address) as traffic:
        service.operator.start(version, WITH_SHADOW)
        ended = service.operator.wait_until("rolled_back")
    assert "drift" in ended.reason or "overlap" in ended.reason
    assert not traffic.touched(began, version)
    assert not traffic.errors
    assert any(check.verdict == "fail" for check in ended.checks)
    wait_loaded(service, [stable(service)])


def test_shuffled_scores_are_rolled_back_in_traffic(service: ServiceUnderTest) -> None:
    version = add_version(service.triton.repository, service.dataset, weights=shuffled_weights())
    began = time.monotonic()
    with shoppers(service.address) as traffic:
        service.operator.start(version, TRAFFIC_ONLY)
        ended = service.operator.wait_until("rolled_back")
        time.sleep(1.0)
        after = time.monotonic()
        time.sleep(0.5)
    assert "drift" in ended.reason
    assert not traffic.errors
    assert not traffic.touched(after, version)
    sides = {answer.user: set() for answer in traffic.since(began)}
    for answer in traffic.since(began):
        sides[answer.user] |= set(answer.arms.values())
    assert all(len(arms) <= 1 for arms in sides.values()), "a shopper changed sides"
    assert {"candidate"} in sides.values()
    assert {"baseline"} in sides.values()


def test_a_slow_version_is_rolled_back(service: ServiceUnderTest) -> None:
    version = add_version(service.triton.repository, service.dataset, slow_ms=50.0)
    with shoppers(service.address) as traffic:
        service.operator.start(version, TRAFFIC_ONLY)
        ended = service.operator.wait_until("rolled_back")
    assert "latency" in ended.reason
    assert not traffic.errors


def test_scores_that_are_no_numbers_reach_no_shopper(service: ServiceUnderTest) -> None:
    version = add_version(service.triton.repository, service.dataset, nan_above=1)
    with shoppers(service.address) as traffic:
        service.operator.start(version, WITH_SHADOW)
        refused = service.operator.wait_until("refused", "rolled_back", "running")
    assert refused.phase == "refused"
    assert "not finite" in refused.reason
    assert not traffic.errors


def test_a_dying_version_is_rolled_back_and_the_stable_one_answers_on(service: ServiceUnderTest) -> None:
    version = add_version(service.triton.repository, service.dataset, weights=similar_weights())
    began = time.monotonic()
    with shoppers(service.address) as traffic:
        service.operator.start(version, [stage(2_000, 30.0, 60)])
        service.operator.wait_until("running")
        with dying(service.triton, version) as deaths:
            ended = service.operator.wait_until("rolled_back")
    assert deaths
    assert not traffic.errors
    answers = traffic.since(began)
    assert all(answer.version for answer in answers), "an answer went without ranking"
    assert any("ranking:candidate" in answer.degraded for answer in answers)
    assert "degraded" in ended.reason or "gone" in ended.reason
    wait_loaded(service, [stable(service)])


def test_a_click_that_is_sent_again_to_the_other_replica_counts_once(service: ServiceUnderTest) -> None:
    version = add_version(service.triton.repository, service.dataset, weights=similar_weights())
    with shoppers(service.address, clients=1, pause_s=0.02):
        started = service.operator.start(version, [stage(5_000, 60.0, 60)])
        service.operator.wait_until("running")
        user, answer = shown_by(service.address, "candidate")
        click = event_pb2.Event(
            user_id=user,
            item_id=answer.items[0].item_id,
            type=event_pb2.EVENT_TYPE_VIEW,
            attribution_token=answer.attribution_token,
            event_id="one-click",
        )
        # A connection each: the kernel gives them to both replicas.
        for _ in range(16):
            with grpc.insecure_channel(
                service.address, options=[("grpc.use_local_subchannel_pool", 1)]
            ) as channel:
                told = EventServiceStub(channel).ReportEvents(
                    event_pb2.ReportEventsRequest(events=[click]), timeout=20
                )
                assert told.accepted == 1
        other = event_pb2.Event()
        other.CopyFrom(click)
        other.item_id, other.event_id = answer.items[1].item_id, "another-click"
        with grpc.insecure_channel(service.address) as channel:
            EventServiceStub(channel).ReportEvents(event_pb2.ReportEventsRequest(events=[other]), timeout=20)
        store = LmdbRolloutStore(service.shop.folder / "rollouts")
        until = time.monotonic() + 20
        while (clicks := clicks_of(store, started.rollout_id)) < 2 and time.monotonic() < until:
            time.sleep(0.1)
        time.sleep(0.5)
        assert clicks_of(store, started.rollout_id) == clicks == 2
        store.close()
    service.operator.change("Abort", "seen")
    wait_loaded(service, [stable(service)])


def shown_by(address: str, arm: str) -> tuple[str, RecommendResponse]:
    """A shopper of an arm, and an answer of it."""
    with grpc.insecure_channel(address) as channel:
        for number in range(200):
            user = f"clicking-{number}"
            answer = RecommendServiceStub(channel).Recommend(
                RecommendRequest(scene="cart", user_id=user), timeout=20
            )
            if arm in answer.arms.values():
                return user, answer
    raise AssertionError(f"nobody is in {arm}")


def clicks_of(store: LmdbRolloutStore, rollout: str) -> int:
    """Clicks that all replicas have counted of the candidate."""
    return sum_counts(store.read_arm_statistics(rollout), [0]).candidate.total("clicks")


def test_two_operators_at_once_and_what_else_is_refused(service: ServiceUnderTest) -> None:
    version = add_version(service.triton.repository, service.dataset, weights=similar_weights())
    foreign = add_version(service.triton.repository, "another-data-set")
    with pytest.raises(grpc.RpcError) as no_version:
        service.operator.start(999, TRAFFIC_ONLY)
    assert no_version.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    with pytest.raises(grpc.RpcError) as other_data:
        service.operator.start(foreign, TRAFFIC_ONLY)
    assert "another-data-set" in other_data.value.details()
    started = service.operator.start(version, [stage(1_000, 60.0, 60)])
    with pytest.raises(grpc.RpcError) as second:
        Operator(service.address, "bob").start(version, TRAFFIC_ONLY)
    assert second.value.code() in (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.ABORTED)
    assert "ann" in second.value.details()
    assert service.operator.change("Pause").paused
    assert not service.operator.change("Resume").paused
    aborted = service.operator.change("Abort", "changed my mind")
    assert (aborted.phase, aborted.rollout_id) == ("aborted", started.rollout_id)
    with pytest.raises(grpc.RpcError) as nothing:
        service.operator.change("Promote")
    assert nothing.value.code() is grpc.StatusCode.FAILED_PRECONDITION


def test_a_good_version_is_promoted_by_itself_and_takes_over(service: ServiceUnderTest) -> None:
    before = stable(service)
    version = add_version(service.triton.repository, service.dataset, weights=similar_weights())
    with shoppers(service.address) as traffic:
        service.operator.start(version, WITH_SHADOW)
        ended = service.operator.wait_until("promoted", "rolled_back")
        assert ended.phase == "promoted", ended.reason
        time.sleep(0.5)
        after = time.monotonic()
        time.sleep(0.5)
    assert not traffic.errors
    assert ended.stable_version == version != before
    assert {answer.version for answer in traffic.since(after)} == {str(version)}
    wait_loaded(service, [version])
    told = [event.event for event in service.operator.history()]
    assert told[-1] == "settled"
    assert "promoted" in told
