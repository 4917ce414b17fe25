"""Whatever happens inside, a caller gets a status with its owner, and never our text."""

from __future__ import annotations

import asyncio
import json
import logging
from random import Random
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message

from foundation.storage.errors import StorageError
from foundation.telemetry.logs.user_ids import UserIds
from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from pipeline.stages import DeadlineExceeded, StageBug
from protos.shopfront.v1.event_pb2 import ReportEventsResponse
from protos.shopfront.v1.privacy_pb2 import DeleteShopperRequest
from protos.shopfront.v1.recommend_pb2 import RecommendRequest, RecommendResponse
from rollout.errors import RolloutStoreError
from router.errors import CallerError, OverloadError, PreconditionError, RaceLostError
from router.service.admission import Admission
from router.service.call import Call
from router.service.loop_load import LoopLoad
from router.service.request_log import RequestLog
from router.service.serving_state import ServingState
from router.service.settings import AdmissionSettings
from server.ingress.bearer_tokens import BearerTokens
from server.ingress.calls import CallHandler
from server.ingress.haproxy_launch import CALL_ID_HEADER
from server.ingress.serve_haproxy import HaproxyIngress
from server.ingress.status import DETAILS_KEY, Refusal
from server.ingress_settings import TokenSettings
from server.rpc.accounting import CallAccounting
from server.rpc.methods import BoundMethod, method_table


class Service:
    """Answers every call with one exception or response."""

    scenes = ("home",)

    def __init__(self, outcome: Exception | Message | type[BaseException]) -> None:
        self.outcome = outcome
        self.calls: list[Call] = []

    async def answer(self, request: Any, call: Call) -> Message:
        self.calls.append(call)
        if isinstance(self.outcome, Message):
            return self.outcome
        raise self.outcome


def handler(service: Service, metrics: ProcessMetrics | None = None) -> CallHandler:
    """A handler around the service, on a clock that stands still."""
    admission = Admission(
        AdmissionSettings(max_concurrent=2), LoopLoad(lambda: 100.0, lambda: 0.0), Random(1)
    )
    return CallHandler(
        {name: BoundMethod(method, service.answer) for name, method in method_table().items()},
        CallAccounting(admission),
        RequestLog(UserIds("salt"), log_answers=False),
        metrics or ProcessMetrics(),
        scenes=lambda: service.scenes,
        serving_state=lambda: ServingState(True),
        clock=lambda: 100.0,
    )


REQUEST = RecommendRequest(scene="home", user_id="jane")
DELETION = DeleteShopperRequest(user_id="jane")


async def test_events_are_told_the_id_a_proxy_gave_their_call() -> None:
    service = Service(ReportEventsResponse())
    calls = handler(service)
    for method, id in (("ReportEvents", "abc-1"), ("ReportEvents", "x" * 49), ("Recommend", "abc-1")):
        metadata = [("user-agent", "ours"), (CALL_ID_HEADER, id)]
        await calls.handle(method, REQUEST, None, lambda metadata=metadata: metadata)  # type: ignore[misc]
    await calls.handle("ReportEvents", REQUEST, None)
    assert [call.sent_as for call in service.calls] == ["abc-1", "", "", ""]


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (CallerError.of("scene", "is required"), grpc.StatusCode.INVALID_ARGUMENT),
        (OverloadError(0.5, "full"), grpc.StatusCode.RESOURCE_EXHAUSTED),
        (PreconditionError("STATE", "bst-1-2", "under way"), grpc.StatusCode.FAILED_PRECONDITION),
        (RaceLostError("ann", "ann was faster"), grpc.StatusCode.ABORTED),
        (RolloutStoreError("disk full at /srv/rollouts"), grpc.StatusCode.UNAVAILABLE),
        (DeadlineExceeded("late"), grpc.StatusCode.DEADLINE_EXCEEDED),
        (StorageError("disk full at /srv/state"), grpc.StatusCode.UNAVAILABLE),
        (KeyError("jane's secret"), grpc.StatusCode.INTERNAL),
        (StageBug("channel:hot", KeyError("jane's secret")), grpc.StatusCode.INTERNAL),
    ],
)
async def test_each_failure_has_its_code(outcome: Exception, code: grpc.StatusCode) -> None:
    metrics = ProcessMetrics()
    answer = await handler(Service(outcome), metrics).handle("Recommend", REQUEST, None)
    assert isinstance(answer, Refusal)
    assert answer.code is code
    assert (
        metrics.registry.get_sample_value(
            "shopfront_requests_total", {"method": "Recommend", "scene": "home", "code": code.name}
        )
        == 1
    )


async def test_only_operators_are_told_where_a_store_failed() -> None:
    calls = handler(Service(StorageError("disk full at /srv/state")))
    for method, told in (
        (REQUEST, "the user state cannot be written"),
        (DELETION, "disk full at /srv/state"),
    ):
        name = type(method).__name__.removesuffix("Request")
        answer = await calls.handle(name, method, None)
        assert isinstance(answer, Refusal)
        assert answer.details.partition("; request ")[0] == told


async def test_a_bug_is_logged_and_its_text_stays_inside(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="shopfront.requests")
    answer = await handler(Service(StageBug("channel:hot", KeyError("jane's secret")))).handle(
        "Recommend", REQUEST, None
    )
    assert isinstance(answer, Refusal)
    lines: list[dict[str, Any]] = [record.__dict__["fields"] for record in caplog.records]
    failed = next(line for line in lines if line["event"] == "failed")
    assert answer.details == f"internal error; request {failed['request_id']}"
    assert "secret" in failed["error"]
    assert "jane" not in json.dumps(failed)
    for value in (answer.details.encode(), answer.trailing_metadata[0][1]):
        assert b"secret" not in value  # type: ignore[operator]


async def test_the_callers_deadline_counts_from_arrival() -> None:
    service = Service(RecommendResponse())
    await handler(service).handle("Recommend", REQUEST, 0.25)
    await handler(service).handle("Recommend", REQUEST, None)
    seen, unseen = service.calls
    assert (seen.arrival, seen.deadline) == (100.0, 100.25)
    assert unseen.deadline is None
    assert (seen.deadline_within(10.0), seen.deadline_within(0.1)) == (100.25, 100.1)
    assert unseen.deadline_within(0.3) == 100.3


async def test_a_cancelled_call_stays_cancelled() -> None:
    with pytest.raises(asyncio.CancelledError):
        await handler(Service(asyncio.CancelledError)).handle("Recommend", REQUEST, None)


async def test_metrics_take_no_scene_of_a_callers_making() -> None:
    metrics = ProcessMetrics()
    made_up = RecommendRequest(scene="made-up")
    await handler(Service(RecommendResponse()), metrics).handle("Recommend", made_up, None)
    labels = {"method": "Recommend", "scene": "", "code": "OK"}
    assert metrics.registry.get_sample_value("shopfront_requests_total", labels) == 1


class ServeContext:
    """What Ray Serve gives a method instead of a gRPC context."""

    def __init__(self) -> None:
        self.set: dict[str, Any] = {}

    def invocation_metadata(self) -> list[tuple[str, str]]:
        return []

    def set_code(self, code: grpc.StatusCode) -> None:
        self.set["code"] = code

    def set_details(self, details: str) -> None:
        self.set["details"] = details

    def set_trailing_metadata(self, metadata: Any) -> None:
        self.set["metadata"] = dict(metadata)


class Replica(HaproxyIngress):
    """A replica that Ray Serve did not make and will not stop."""

    def __init__(self, calls: CallHandler) -> None:
        self._calls = calls
        self._tokens = BearerTokens(TokenSettings())
        self._add_methods()

    def __del__(self) -> None:  # type: ignore[override]
        """Nothing was opened."""


async def test_behind_haproxy_a_refusal_is_returned_not_raised() -> None:
    replica = Replica(handler(Service(KeyError("secret"))))
    context = ServeContext()
    assert await replica.Recommend(REQUEST, context) == RecommendResponse()  # type: ignore[attr-defined]
    assert context.set["code"] is grpc.StatusCode.INTERNAL
    assert "secret" not in context.set["details"]
    assert DETAILS_KEY in context.set["metadata"]
