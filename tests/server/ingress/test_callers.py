"""Callers that ask once more, as the manual and the steady load do, while a front hangs and is replaced."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from benchmarks.steady_caller import CONNECTIONS
from benchmarks.steady_load import LoadPlan, Sent, steady_load
from protos.shopfront.v1 import event_pb2, event_pb2_grpc, recommend_pb2, recommend_pb2_grpc
from server.ingress.status import PUSHBACK_KEY
from testing.freezing_front import FreezingFront

_FAULTS = Path(__file__).parents[3] / "docs" / "manual" / "faults.md"
_LIMIT_S = 30.0


class _Recommend(recommend_pb2_grpc.RecommendServiceServicer):
    """Answers at once, but for the failures of some shoppers, and counts the tries of each."""

    def __init__(self) -> None:
        self.tries = Counter[str]()

    def Recommend(self, request: Any, context: grpc.ServicerContext) -> Any:
        shopper = request.user_id
        self.tries[shopper] += 1
        if shopper.startswith("down"):
            context.abort(grpc.StatusCode.UNAVAILABLE, "down")
        if shopper.startswith("full") and self.tries[shopper] <= 2:
            context.set_trailing_metadata(((PUSHBACK_KEY, "50"),))
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "full")
        if shopper.startswith("silent"):
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "full, for nobody knows how long")
        return recommend_pb2.RecommendResponse()


class _Events(event_pb2_grpc.EventServiceServicer):
    def ReportEvents(self, request: Any, context: grpc.ServicerContext) -> Any:
        return event_pb2.ReportEventsResponse(accepted=len(request.events))


@contextmanager
def _serving() -> Iterator[tuple[str, _Recommend]]:
    """Address of a server of both services, and what counts its tries."""
    server = grpc.server(ThreadPoolExecutor(16))
    recommend = _Recommend()
    recommend_pb2_grpc.add_RecommendServiceServicer_to_server(recommend, server)
    event_pb2_grpc.add_EventServiceServicer_to_server(_Events(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}", recommend
    finally:
        server.stop(0).wait()


def _wait_until(holds: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + _LIMIT_S
    while not holds():
        assert time.monotonic() < until, what
        time.sleep(0.02)


def _manual_options() -> list[tuple[str, Any]]:
    """The channel options of the manual's client."""
    (code,) = re.findall(r"```python\n(.*?)```", _FAULTS.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code, _FAULTS.name, "exec"), names)  # noqa: S102
    return list(names["options"])


def test_the_manuals_client_waits_for_a_connection_and_is_answered_after_a_reset() -> None:
    options = [*_manual_options(), ("grpc.use_local_subchannel_pool", 1)]
    request = recommend_pb2.RecommendRequest(user_id="1")
    with (
        _serving() as (server, _),
        FreezingFront(server, passed=1) as front,
        grpc.insecure_channel(front.address, options) as connected,
        grpc.insecure_channel(front.address, options) as connecting,
    ):
        on_hanging = recommend_pb2_grpc.RecommendServiceStub(connected).Recommend
        on_none = recommend_pb2_grpc.RecommendServiceStub(connecting).Recommend
        on_hanging(request, timeout=_LIMIT_S)
        front.freeze()
        calls = [call.future(request, timeout=_LIMIT_S) for call in (on_hanging, on_none)]
        # A second attempt to connect: the first has failed.
        _wait_until(lambda: front.held > 1, "no second attempt to connect")
        assert not any(call.done() for call in calls)
        front.replace()
        for call in calls:
            call.result()


def test_the_steady_load_loses_no_call_to_a_front_that_hangs_while_some_of_its_connections_are_made() -> None:
    with _serving() as (server, _), FreezingFront(server, passed=CONNECTIONS // 2) as front:
        plan = LoadPlan(front.address, "home", ["1"], ["2"], 20.0, 20.0, patience_s=_LIMIT_S)
        with steady_load(plan) as load:
            _wait_until(lambda: front.held >= CONNECTIONS // 2 and len(load.sent) > 3, "no calls")
            front.freeze()
            _wait_until(lambda: front.held >= CONNECTIONS, "no second attempts to connect")
            _wait_until(lambda: any(map(_had_no_connection, load.sent)), "none failed")
            # Time for the others of its kind to be sent again.
            time.sleep(5 * plan.retry_pause_s)
            front.replace()
            assert load.wait_until(lambda calls: all(call.first == "OK" for call in calls), 0.5, _LIMIT_S)
    assert any(call.first == "UNAVAILABLE" for call in load.sent if call.ok)
    assert not [call for call in load.sent if not call.ok and call.with_ids]


def _had_no_connection(call: Sent) -> bool:
    """Whether it failed at once; seen of those that are not sent again."""
    return call.first == "UNAVAILABLE" and call.detail.startswith("failed to connect")


@pytest.mark.parametrize("returns", [False, True])
def test_the_steady_load_asks_once_more_and_comes_back_when_it_is_told_to(returns: bool) -> None:
    with _serving() as (server, recommend):
        users = [f"{kind}-{number}" for number in range(500) for kind in ("down", "full", "silent")]
        plan = LoadPlan(
            server, "home", users, ["2"], 60.0, 1.0, returns_when_told=returns, patience_s=_LIMIT_S
        )
        with steady_load(plan) as load:
            _wait_until(lambda: sum(call.kind == "recommend" for call in load.sent) >= 20, "no calls")
    tries = {
        kind: {count for shopper, count in recommend.tries.items() if shopper.startswith(kind)}
        for kind in ("down", "full", "silent")
    }
    assert tries == {"down": {2}, "full": {3 if returns else 1}, "silent": {1}}
    outcomes = {(call.first, call.status) for call in load.sent if call.kind == "recommend"}
    full = ("RESOURCE_EXHAUSTED", "RESOURCE_EXHAUSTED")
    told = {("RESOURCE_EXHAUSTED", "OK")} if returns else set()
    assert outcomes == {("UNAVAILABLE", "UNAVAILABLE"), full} | told
