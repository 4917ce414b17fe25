"""`shopfront run` and `serve`: Triton, the router and what runs beside them, until Ctrl-C."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import typer

from server.ingress.client_channel import why_unanswered
from shopfront.command_end import Refused, RouterLost
from shopfront.command_options import Config, Data, WorkspaceFolder, console, errors, prepared
from shopfront.router_options import own_router
from shopfront.workspace import DEFAULT_FILE, Workspace

if TYPE_CHECKING:
    from shopfront.settings import Settings

app = typer.Typer()


@app.command()
def run(data: Data = None, workspace: WorkspaceFolder = None, config: Config = DEFAULT_FILE) -> None:
    """Build what is missing, start Triton and the router, print an answer, stay up until Ctrl-C."""
    from shopfront.before_build import check_before_build
    from shopfront.console_beside import look_for_console
    from shopfront.forked_command import run_forked
    from triton_repo.installation import Installation

    place, settings = prepared(data, workspace, config)
    if not settings.triton.url:
        # What keeps Triton from starting is better said before minutes of training than after.
        Installation.find()
    with place.held("serving"):
        _end_abandoned()
        check_before_build(place, settings)
        look_for_console(settings.console, _say)
        # A process of its own, so that the memory of training is not kept while serving.
        status = run_forked(["build", *_options(place, config, data)])
        if status:
            raise typer.Exit(status)
        _serve(place, settings, config, data, supervised=True)


@app.command()
def serve(data: Data = None, workspace: WorkspaceFolder = None, config: Config = DEFAULT_FILE) -> None:
    """Serve a workspace that is built, until Ctrl-C.

    Ends with status 1 where the router is lost, so that what started it can start it anew.
    """
    from shopfront.before_build import check_before_build

    place, settings = prepared(data, workspace, config)
    if not place.snapshots.is_dir():
        # A name that is mistyped leaves no empty workspace behind.
        raise Refused(
            f"{place.root} has no published snapshot: run shopfront build for it first, or name another "
            "folder with --workspace or --data"
        )
    with place.held("serving"):
        _end_abandoned()
        check_before_build(place, settings)
        _serve(place, settings, config, data, supervised=False)


def _options(place: Workspace, config: Path, data: Path | None) -> list[str]:
    """Those with which another command of the same workspace is started."""
    named = ["--data", str(data)] if data is not None else []
    return ["--config", str(config), "--workspace", str(place.root), *named]


def _say(line: str) -> None:
    errors.print(line, style="yellow", markup=False, highlight=False)


def _end_abandoned() -> None:
    """What a killed router left may hold the ports that this one needs."""
    from server.ingress.session_folder import end_abandoned

    for line in end_abandoned():
        _say(line)


def _serve(
    place: Workspace, settings: Settings, config: Path, data: Path | None, *, supervised: bool
) -> None:
    from shopfront.console_beside import console_of
    from shopfront.learner_beside import learner_beside
    from shopfront.log_bounds import LogBounds
    from shopfront.picture_command import show_photo_search
    from shopfront.serve import serving, stop_signals

    with stop_signals() as stop, console.status("starting Triton and the router") as status:
        with serving(place, settings, _say, restarts=supervised) as served:
            status.stop()
            router = own_router(settings.router.ingress, served.address)
            options, logs = _options(place, config, data), settings.router.request_log.folder
            with (
                console_of(
                    router,
                    settings.console,
                    place.logs,
                    _say,
                    wanted=supervised,
                    count=served.count("console"),
                ) as console_says,
                learner_beside(settings.router, options, logs, _say, served.count("learner")) as learner,
            ):
                if supervised:
                    _show_sample(place, settings, served.address)
                    show_photo_search(place, router, data, console, _say)
                console.print(f"\nServing gRPC on [bold]{served.address}[/]", highlight=False)
                if console_says:
                    console.print(console_says, markup=False, highlight=False)
                if served.metrics_port is not None:
                    console.print(
                        f"Metrics on http://127.0.0.1:{served.metrics_port}/metrics", highlight=False
                    )
                console.print(f"Logs in {place.logs}", markup=False, highlight=False)
                console.print("Ctrl-C stops everything.")
                bounds = LogBounds(place.logs, settings.router.request_log, _say, time.monotonic)
                while not stop.wait(0.5):
                    bounds.look()
                    learner.look()
                    if served.watcher.given_up:
                        raise RouterLost(f"{served.watcher.given_up}; its log is {place.logs / 'router.log'}")
                console.print("stopping …")
        console.print("stopped")


def _show_sample(place: Workspace, settings: Settings, address: str) -> None:
    """Prints an answer of the router that was just started; where it cannot be asked, why."""
    from shopfront.answer_table import ask, show
    from shopfront.sample_shopper import sample_shopper, trigger_titles
    from shopfront.settings import main_scene

    router = own_router(settings.router.ingress, address)
    if router is None:
        console.print("No sample answer: callers must show a certificate. Ask with --cert and --key.")
        return
    user = sample_shopper(place)
    scene, _ = main_scene(settings)
    try:
        answer = ask(router, user, scene, 10)
    except grpc.RpcError as error:
        errors.print(f"No sample answer: {why_unanswered(router, error)}", style="yellow", markup=False)
        return
    show(console, user, answer, trigger_titles(place, answer))
