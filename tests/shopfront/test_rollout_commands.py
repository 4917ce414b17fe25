"""The operator's commands: what they say, and how stages are written."""

from __future__ import annotations

import io
import json
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from protos.shopfront.v1 import rollout_pb2, rollout_pb2_grpc
from router.errors import PreconditionError
from server.ingress.status import refusal_of
from shopfront.rollout_commands import RolloutCallFailed, app, parse_stage, show_status

STATUS = rollout_pb2.RolloutStatus(
    model="bst",
    rollout_id="bst-1-2-ab",
    phase="running",
    reason="every check passes",
    next_step="stage 3 (5 %), after 12.0 s",
    stable_version=1,
    candidate_version=2,
    stages=[rollout_pb2.RolloutStage(weight_bp=weight) for weight in (0, 100, 500)],
    stage=1,
    weight_bp=100,
    samples={"candidate": 1_234, "baseline": 1_200},
    leader="host-1",
    checks=[rollout_pb2.RolloutCheck(name="latency", verdict="inconclusive", reason="too few requests")],
)


class Service(rollout_pb2_grpc.RolloutServiceServicer):
    """Answers with one status, and refuses to start."""

    def GetRollout(self, request: object, context: grpc.ServicerContext) -> rollout_pb2.RolloutStatus:
        return STATUS

    def StartRollout(self, request: object, context: grpc.ServicerContext) -> rollout_pb2.RolloutStatus:
        refusal = refusal_of(PreconditionError("STATE", "x", "rollout x, started by ann, is under way"))
        context.abort(refusal.code, refusal.details)
        raise AssertionError("abort raises")

    def GetRolloutHistory(
        self, request: rollout_pb2.GetRolloutHistoryRequest, context: grpc.ServicerContext
    ) -> rollout_pb2.RolloutHistory:
        return rollout_pb2.RolloutHistory(
            events=[rollout_pb2.RolloutEvent(number=7, event="advanced", actor="host-1", reason="all passed")]
        )


@pytest.fixture
def address() -> object:
    """A router of one status."""
    with ThreadPoolExecutor(2) as threads:
        server = grpc.server(threads)
        rollout_pb2_grpc.add_RolloutServiceServicer_to_server(Service(), server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        yield f"127.0.0.1:{port}"
        server.stop(None).wait()


@pytest.mark.parametrize(
    ("text", "weight_bp", "seconds", "samples"),
    [("shadow:300:500", 0, 300.0, 500), ("1%:900:5", 100, 900.0, 5), ("2.5:0.5:0", 250, 0.5, 0)],
)
def test_stages_are_written_as_people_say_them(
    text: str, weight_bp: int, seconds: float, samples: int
) -> None:
    stage = parse_stage(text)
    assert (stage.weight_bp, stage.min_duration_s, stage.min_samples) == (weight_bp, seconds, samples)


@pytest.mark.parametrize("text", ["", "1%", "1%:x:5", "shadow:1:2:3", "1%:1:0.5"])
def test_a_stage_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="WEIGHT:SECONDS:SAMPLES"):
        parse_stage(text)


def test_a_status_shows_stage_samples_checks_leader_and_what_comes_next() -> None:
    out = io.StringIO()
    show_status(STATUS, Console(file=out, width=120))
    text = out.getvalue()
    for shown in ("bst 1 → 2", "▸1 %", "candidate 1,234", "host-1", "latency", "too few", "stage 3 (5 %)"):
        assert shown in text


def test_a_promoted_version_is_shown_as_what_serves() -> None:
    promoted = rollout_pb2.RolloutStatus()
    promoted.CopyFrom(STATUS)
    promoted.phase, promoted.stable_version = "promoted", promoted.candidate_version
    promoted.weight_bp = 0
    out = io.StringIO()
    show_status(promoted, Console(file=out, width=120))
    text = out.getvalue()
    assert text.startswith("bst 2  ")
    assert "everybody, for good" in text


def test_the_commands_speak_to_a_router(address: str) -> None:
    run = CliRunner().invoke
    answer = run(app, ["status", "--address", address, "--json"])
    assert json.loads(answer.stdout)["samples"] == {"baseline": "1200", "candidate": "1234"}
    assert "all passed" in run(app, ["history", "--address", address]).stdout
    refused = run(app, ["start", "2", "--address", address])
    assert isinstance(refused.exception, RolloutCallFailed)
    assert "started by ann" in str(refused.exception)
