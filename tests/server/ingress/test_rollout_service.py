"""RolloutService behind every ingress: statuses, errors with details, reflection."""

from __future__ import annotations

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from protos.shopfront.v1 import rollout_pb2
from protos.shopfront.v1.rollout_pb2_grpc import RolloutServiceStub
from server.ingress.status import DETAILS_KEY
from testing.running_router import Ingress

STAGE = rollout_pb2.RolloutStage(weight_bp=100, min_duration_s=1, min_samples=1)


def stub(ingress: Ingress) -> RolloutServiceStub:
    """A client of RolloutService."""
    return RolloutServiceStub(ingress.channel)


def refusal(call: object, request: object) -> tuple[grpc.StatusCode, str, status_pb2.Status]:
    """Code, text and details of a call that is refused."""
    with pytest.raises(grpc.RpcError) as refused:
        call(request, timeout=20)  # type: ignore[operator]
    error = refused.value
    details = dict(error.trailing_metadata())[DETAILS_KEY]
    return error.code(), error.details(), status_pb2.Status.FromString(details)


def test_a_model_without_a_rollout_has_a_status_and_an_empty_history(ingress: Ingress) -> None:
    status = stub(ingress).GetRollout(rollout_pb2.GetRolloutRequest(), timeout=20)
    assert (status.model, status.rollout_id, status.generation) == ("bst", "", 0)
    assert status.stable_version >= 1
    history = stub(ingress).GetRolloutHistory(rollout_pb2.GetRolloutHistoryRequest(), timeout=20)
    assert not history.events


def test_every_field_at_fault_is_named(ingress: Ingress) -> None:
    request = rollout_pb2.StartRolloutRequest(
        candidate=-1,
        operator="x" * 65,
        deadline_s=float("nan"),
        stages=[STAGE, rollout_pb2.RolloutStage(weight_bp=50, min_duration_s=-1, min_samples=-1)],
    )
    code, _, details = refusal(stub(ingress).StartRollout, request)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    bad = error_details_pb2.BadRequest()
    assert details.details[0].Unpack(bad)
    assert {violation.field for violation in bad.field_violations} == {
        "candidate",
        "operator",
        "deadline_s",
        "stages",
        "stages[1].min_duration_s",
        "stages[1].min_samples",
    }


@pytest.mark.parametrize(
    ("method", "request_message", "kind", "text"),
    [
        ("StartRollout", rollout_pb2.StartRolloutRequest(candidate=99), "CANDIDATE_UNFIT", "no version 99"),
        (
            "StartRollout",
            rollout_pb2.StartRolloutRequest(model="mind", candidate=2),
            "NOT_ROLLED_OUT",
            "snapshot",
        ),
        ("AbortRollout", rollout_pb2.ChangeRolloutRequest(), "STATE", "no rollout of bst is under way"),
        ("PauseRollout", rollout_pb2.ChangeRolloutRequest(rollout_id="x"), "NOT_ACTIVE", "not active"),
    ],
)
def test_what_the_moment_forbids_is_a_failed_precondition(
    ingress: Ingress, method: str, request_message: object, kind: str, text: str
) -> None:
    code, said, details = refusal(getattr(stub(ingress), method), request_message)
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert text in said
    failure = error_details_pb2.PreconditionFailure()
    assert details.details[0].Unpack(failure)
    assert failure.violations[0].type == kind


def test_the_version_that_serves_cannot_be_rolled_out(ingress: Ingress) -> None:
    serves = stub(ingress).GetRollout(rollout_pb2.GetRolloutRequest(), timeout=20).stable_version
    code, said, details = refusal(
        stub(ingress).StartRollout, rollout_pb2.StartRolloutRequest(candidate=serves)
    )
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert "serves already" in said
    failure = error_details_pb2.PreconditionFailure()
    assert details.details[0].Unpack(failure)
    assert failure.violations[0].type == "SERVES_ALREADY"


@pytest.mark.parametrize("seconds", [1e300, float("inf"), -1e-9])
def test_times_beyond_reason_are_refused(ingress: Ingress, seconds: float) -> None:
    request = rollout_pb2.StartRolloutRequest(candidate=2, settle_s=seconds, stages=[STAGE] * 51)
    code, said, _ = refusal(stub(ingress).StartRollout, request)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "settle_s" in said
    assert "at most 50" in said


def test_the_service_is_reflected(ingress: Ingress) -> None:
    services = ProtoReflectionDescriptorDatabase(ingress.channel).get_services()
    assert "shopfront.v1.RolloutService" in services
