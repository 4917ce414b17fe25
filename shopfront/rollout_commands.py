"""The `shopfront rollout …` commands: canary rollouts for operators, over gRPC."""

from __future__ import annotations

import getpass
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated

import grpc
import typer
from google.protobuf.json_format import MessageToJson
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from protos.shopfront.v1 import rollout_pb2
from protos.shopfront.v1.rollout_pb2_grpc import RolloutServiceStub
from server.ingress.client_channel import RouterAddress, open_channel, why_unanswered
from shopfront.command_options import Config, Data, WorkspaceFolder, prepared
from shopfront.router_options import takes_router
from shopfront.workspace import DEFAULT_FILE

app = typer.Typer(
    no_args_is_help=True, help="Move a model to a new version in stages, with automatic checks and rollback."
)
console = Console(width=None if sys.stdout.isatty() else 120)

Model = Annotated[str, typer.Option(help="Model on Triton; default: the ranking model.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
Reason = Annotated[str, typer.Option(help="For the history.")]
_TIMEOUT_S = 10.0
_COLOURS = {"pass": "green", "fail": "red", "error": "red", "inconclusive": "yellow"}
_ENDED = ("promoted", "refused", "rolled_back", "aborted", "expired", "superseded")


class RolloutCallFailed(Exception):
    """The router refused the call or did not answer; the message is the router's."""


@app.command()
@takes_router
def start(
    router: RouterAddress,
    version: Annotated[int, typer.Argument(help="Version to roll out, in the model repository.")],
    model: Model = "",
    stage: Annotated[
        list[str] | None,
        typer.Option(
            help="WEIGHT:SECONDS:SAMPLES, repeated; WEIGHT is shadow or a percentage, for example "
            "--stage shadow:300:500 --stage 1%:900:500. Default: the configuration's."
        ),
    ] = None,
    deadline: Annotated[float, typer.Option(help="Seconds until it ends; 0: the configuration's.")] = 0.0,
    settle: Annotated[
        float | None, typer.Option(help="Seconds the old version stays loaded after the promotion.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Start a rollout; it advances and rolls back automatically."""
    request = rollout_pb2.StartRolloutRequest(
        model=model,
        candidate=version,
        stages=[parse_stage(text) for text in stage or ()],
        deadline_s=deadline,
        settle_s=settle,
        operator=getpass.getuser(),
    )
    with _called(router) as stub:
        _print(stub.StartRollout(request, timeout=_TIMEOUT_S), json)


@app.command()
@takes_router
def status(
    router: RouterAddress,
    model: Model = "",
    watch: Annotated[bool, typer.Option(help="Print again every second until the rollout ends.")] = False,
    json: AsJson = False,
) -> None:
    """Show the rollout: stage, weights, samples, every check with its reason, the next step."""
    request = rollout_pb2.GetRolloutRequest(model=model)
    with _called(router) as stub:
        while True:
            found = stub.GetRollout(request, timeout=_TIMEOUT_S)
            _print(found, json)
            if not watch or found.phase in ("", *_ENDED):
                return
            time.sleep(1.0)


@app.command()
@takes_router
def pause(router: RouterAddress, model: Model = "", reason: Reason = "", json: AsJson = False) -> None:
    """Hold the stage; a failed check still rolls back, and the deadline still applies."""
    _change(router, "Pause", model, reason, json)


@app.command()
@takes_router
def resume(router: RouterAddress, model: Model = "", reason: Reason = "", json: AsJson = False) -> None:
    """Continue a paused rollout."""
    _change(router, "Resume", model, reason, json)


@app.command()
@takes_router
def promote(router: RouterAddress, model: Model = "", reason: Reason = "", json: AsJson = False) -> None:
    """Make the candidate the stable version now, whatever the verdict of the checks."""
    _change(router, "Promote", model, reason, json)


@app.command()
@takes_router
def abort(router: RouterAddress, model: Model = "", reason: Reason = "", json: AsJson = False) -> None:
    """End the rollout; while a promotion settles, undo it."""
    _change(router, "Abort", model, reason, json)


@app.command()
@takes_router
def history(
    router: RouterAddress,
    model: Model = "",
    limit: Annotated[int, typer.Option(help="Entries shown at most, the last ones.")] = 50,
    json: AsJson = False,
) -> None:
    """What happened to the model's rollouts, oldest first."""
    with _called(router) as stub:
        last = stub.GetRollout(rollout_pb2.GetRolloutRequest(model=model), timeout=_TIMEOUT_S).generation
        request = rollout_pb2.GetRolloutHistoryRequest(
            model=model, after=max(0, last - limit), limit=min(1_000, max(1, limit))
        )
        found = stub.GetRolloutHistory(request, timeout=_TIMEOUT_S)
    if json:
        print(MessageToJson(found, preserving_proto_field_name=True))
        return
    table = Table(box=box.SIMPLE_HEAD)
    for column in ("#", "at", "rollout", "event", "weight", "by", "why"):
        table.add_column(column, overflow="fold")
    for event in found.events:
        table.add_row(
            str(event.number),
            _moment(event.at_ms),
            escape(event.rollout_id),
            escape(event.event),
            _weight(event.weight_bp),
            escape(event.actor),
            escape(event.reason),
        )
    console.print(table)


def parse_stage(text: str) -> rollout_pb2.RolloutStage:
    """The stage that `shadow:300:500` or `2.5%:900:500` means. Raises typer.BadParameter for other text."""
    try:
        weight, seconds, samples = text.split(":")
        weight_bp = 0 if weight == "shadow" else round(float(weight.removesuffix("%")) * 100)
        return rollout_pb2.RolloutStage(
            weight_bp=weight_bp, min_duration_s=float(seconds), min_samples=int(samples)
        )
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r} is no WEIGHT:SECONDS:SAMPLES, for example shadow:300:500 or 2.5%:900:500"
        ) from error


def show_status(found: rollout_pb2.RolloutStatus, to: Console) -> None:
    """Prints a status for a person."""
    if not found.rollout_id:
        to.print(f"{found.model} {found.stable_version} serves; it never had a rollout", markup=False)
        return
    held = ", paused" if found.paused else ""
    promoted = found.stable_version == found.candidate_version
    versions = (
        str(found.stable_version) if promoted else f"{found.stable_version} → {found.candidate_version}"
    )
    to.print(f"[bold]{escape(f'{found.model} {versions}')}[/]  {escape(found.rollout_id)}", highlight=False)
    facts = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    stages = "  ".join(
        f"[bold]▸{_weight(stage.weight_bp)}[/]" if position == found.stage else _weight(stage.weight_bp)
        for position, stage in enumerate(found.stages)
    )
    rows = {
        "phase": f"{found.phase}{held}, for {found.in_stage_s:.0f} s",
        "stages": stages,
        "candidate answers": _answered_by_candidate(found),
        "samples": ", ".join(f"{arm} {count:,}" for arm, count in sorted(found.samples.items())) or "–",
        "shoppers": ", ".join(f"{arm} {count:,}" for arm, count in sorted(found.shoppers.items())) or "–",
        "leader": found.leader or "–",
        "started": f"{_moment(found.started_at_ms)} by {found.started_by or 'an operator'}",
        "ends": _moment(found.ended_at_ms) if found.ended_at_ms else f"by {_moment(found.deadline_at_ms)}",
        "why": found.reason,
        "next": found.next_step or "–",
    }
    for name, value in rows.items():
        facts.add_row(name, value if name == "stages" else escape(value))
    to.print(facts)
    if not found.checks:
        return
    checks = Table(box=box.SIMPLE_HEAD)
    for column in ("check", "verdict", "reason"):
        checks.add_column(column, overflow="fold")
    for check in found.checks:
        colour = _COLOURS.get(check.verdict, "white")
        checks.add_row(escape(check.name), f"[{colour}]{escape(check.verdict)}[/]", escape(check.reason))
    to.print(checks)


def _change(router: RouterAddress, method: str, model: str, reason: str, json: bool) -> None:
    request = rollout_pb2.ChangeRolloutRequest(model=model, operator=getpass.getuser(), reason=reason)
    with _called(router) as stub:
        call: Callable[..., rollout_pb2.RolloutStatus] = getattr(stub, f"{method}Rollout")
        _print(call(request, timeout=_TIMEOUT_S), json)


@contextmanager
def _called(router: RouterAddress) -> Iterator[RolloutServiceStub]:
    with open_channel(router) as channel:
        try:
            yield RolloutServiceStub(channel)
        except grpc.RpcError as error:
            raise RolloutCallFailed(why_unanswered(router, error)) from error


def _print(found: rollout_pb2.RolloutStatus, json: bool) -> None:
    if json:
        print(
            MessageToJson(found, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
        )
    else:
        show_status(found, console)


def _answered_by_candidate(found: rollout_pb2.RolloutStatus) -> str:
    if found.phase == "promoted":
        return "everybody, for good"
    return _weight(found.weight_bp) if found.weight_bp else "nobody"


def _weight(weight_bp: int) -> str:
    return f"{weight_bp / 100:g} %" if weight_bp else "shadow"


def _moment(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000).isoformat(sep=" ", timespec="seconds") if at_ms else "–"


@app.command()
def candidate(data: Data = None, workspace: WorkspaceFolder = None, config: Config = DEFAULT_FILE) -> None:
    """Train the ranking model on the data that is served and export it, publishing nothing."""
    from shopfront.build_steps import Build
    from shopfront.progress import Progress

    place, settings = prepared(data, workspace, config, builds=True)
    with place.held("building"):
        version = Build(place, settings, data, Progress(console)).candidate(settings.router.ranking.model)
    console.print(f"version {version} waits for: shopfront rollout start {version}", highlight=False)
