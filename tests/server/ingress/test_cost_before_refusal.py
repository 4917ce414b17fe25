"""Through every ingress: refusing what is too large costs as much as an ordinary call, and harms nobody."""

from __future__ import annotations

import threading
import time

import grpc
import psutil
import pytest
from google.rpc import error_details_pb2

from protos.shopfront.v1 import event_pb2, recommend_pb2, rollout_pb2
from protos.shopfront.v1.rollout_pb2_grpc import RolloutServiceStub
from server.rpc.methods import Method, method_table
from testing.running_router import Ingress
from tests.server.ingress.oversized import oversized
from tests.server.ingress.test_contract import refused, rich_details

_SENT = 3
_MULTIPLE = 8
# What psutil counts in.
_TICK_S = 0.01


def _cpu_s(ingress: Ingress) -> float:
    """Seconds of CPU that the replicas have used."""
    pids = [psutil.Process().pid] if ingress.handle is None else ingress.handle.replica_pids()
    return sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in pids)


class Bystander:
    """Asks for a page every 50 ms; keeps the errors and the seconds that each answer took."""

    def __init__(self, ingress: Ingress) -> None:
        self._ingress = ingress
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.errors: list[grpc.StatusCode] = []
        self.seconds: list[float] = []

    def __enter__(self) -> Bystander:
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._done.set()
        self._thread.join()

    def _ask(self) -> None:
        with grpc.insecure_channel(self._ingress.address, [("grpc.use_local_subchannel_pool", 1)]) as channel:
            ask = channel.unary_unary("/shopfront.v1.RecommendService/Recommend")
            request = recommend_pb2.RecommendRequest(scene="home", user_id="u0001").SerializeToString()
            while not self._done.wait(0.05):
                began = time.monotonic()
                try:
                    ask(request, timeout=10)
                    self.seconds.append(time.monotonic() - began)
                except grpc.RpcError as error:
                    self.errors.append(error.code())


@pytest.mark.parametrize("method", method_table().values(), ids=lambda method: method.name)
def test_the_largest_requests_cost_a_few_ordinary_calls(ingress: Ingress, method: Method) -> None:
    ordinary = event_pb2.ReportEventsRequest(
        events=[
            event_pb2.Event(user_id="u0001", item_id="i0001", type=event_pb2.EVENT_TYPE_IMPRESSION)
            for _ in range(1_000)
        ]
    )
    ingress.events.ReportEvents(ordinary, timeout=20)
    before = _cpu_s(ingress)
    for _ in range(_SENT):
        ingress.events.ReportEvents(ordinary, timeout=20)
    allowed_s = _MULTIPLE * (_cpu_s(ingress) - before + _TICK_S)
    call = ingress.channel.unary_unary(method.path)
    for name, data in oversized(method):
        before = _cpu_s(ingress)
        codes = set()
        for _ in range(_SENT):
            try:
                call(data, timeout=20)
            except grpc.RpcError as error:
                codes.add(error.code())
        assert _cpu_s(ingress) - before < allowed_s, name
        assert codes <= {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION}, name


def test_a_bystander_is_answered_meanwhile(ingress: Ingress) -> None:
    scenes = b"\x0a\x00" * 2_000_000
    events = b"\x0a\x00" * 1_000_000
    with Bystander(ingress) as quiet:
        time.sleep(2)
    with Bystander(ingress) as bystander:
        for _ in range(10):
            for method, data in (("RecommendPage", scenes), ("ReportEvents", events)):
                error = refused(ingress.channel.unary_unary(method_table()[method].path), data)
                assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert not quiet.errors
    assert not bystander.errors
    assert bystander.seconds
    assert max(bystander.seconds) < 3 * max(quiet.seconds) + 0.5


@pytest.mark.parametrize("field", ["model", "rollout_id", "operator", "reason"])
@pytest.mark.parametrize("character", ["x", "é", "%", "\n"])
def test_long_values_are_not_repeated(ingress: Ingress, field: str, character: str) -> None:
    rollouts = RolloutServiceStub(ingress.channel)
    error = refused(rollouts.PauseRollout, rollout_pb2.ChangeRolloutRequest(**{field: character * 9_000}))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    (violation,) = rich_details(error, error_details_pb2.BadRequest).field_violations
    assert violation.field in (field, "request")
    assert len(error.details()) < 200


@pytest.mark.parametrize("character", ["x", "é", "\N{GRINNING FACE}", "%"])
def test_the_longest_values_that_are_taken_are_repeated_in_part(ingress: Ingress, character: str) -> None:
    rollouts = RolloutServiceStub(ingress.channel)
    for field, longest in (("rollout_id", 256), ("model", 128)):
        request = rollout_pb2.ChangeRolloutRequest(**{field: character * longest})
        error = refused(rollouts.AbortRollout, request)
        assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert rich_details(error, error_details_pb2.PreconditionFailure).violations[0].subject


def test_a_message_over_the_limit_is_the_callers_mistake(ingress: Ingress) -> None:
    recommend = ingress.channel.unary_unary(method_table()["Recommend"].path)
    for size in (600_000, 3 * 2**20, 9 * 2**20, 20 * 2**20):
        error = refused(recommend, bytes(size))
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT, size
        (violation,) = rich_details(error, error_details_pb2.BadRequest).field_violations
        assert violation.field == "request"
