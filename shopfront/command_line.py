"""The `shopfront` command."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import grpc
import typer

from foundation.storage.private_files import keep_files_private
from server.ingress.client_channel import why_unanswered
from shopfront.asking_commands import app as asking
from shopfront.command_end import (
    INTERRUPTED,
    Refused,
    RouterLost,
    known_errors,
    print_failure,
    remember_interrupts,
)
from shopfront.command_options import Config, Data, Ray, WorkspaceFolder, console, errors, prepared
from shopfront.learning_command import app as learning
from shopfront.measuring_commands import app as measuring
from shopfront.merchandising_commands import app as merchandising
from shopfront.mislabelled_command import app as mislabelled
from shopfront.plan_commands import app as planning
from shopfront.related_words_command import app as related_words
from shopfront.rollout_commands import app as rollout
from shopfront.router_options import own_router
from shopfront.sample_rules_command import app as sample_rules
from shopfront.sandbox_command import app as sandbox
from shopfront.shopper_commands import app as shopper
from shopfront.title_tags_command import app as titles
from shopfront.workspace import DEFAULT_FILE, Workspace

if TYPE_CHECKING:
    from shopfront.settings import Settings

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Recommendation serving: build a workspace from logs, serve it, ask it, evaluate it.",
)
# The report of ingest shows its alarms, so they need not be logged to the terminal too.
logging.getLogger("ingest").addHandler(logging.NullHandler())


@app.command()
def run(data: Data = None, workspace: WorkspaceFolder = None, config: Config = DEFAULT_FILE) -> None:
    """Build what is missing, start Triton and the router, print an answer, stay up until Ctrl-C."""
    from shopfront.before_build import check_before_build
    from shopfront.console_beside import look_for_console
    from triton_repo.bound_process import bound
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
        build = [sys.executable, "-m", "shopfront", "build", *_options(place, config, data)]
        finished = subprocess.run(bound(build), check=False)
        if finished.returncode:
            raise typer.Exit(finished.returncode)
        _serve(place, settings, config, data, supervised=True)


@app.command()
def build(
    data: Data = None,
    workspace: WorkspaceFolder = None,
    config: Config = DEFAULT_FILE,
    ray: Ray = None,
) -> None:
    """Ingest, train, export, build recall tables and publish; a running router takes it over."""
    from shopfront.build_steps import Build
    from shopfront.cluster.ray_cluster import connected
    from shopfront.progress import Progress
    from shopfront.serve import running_triton, seed_user_state

    place, settings = prepared(data, workspace, config, builds=True)
    jobs = settings.jobs if ray is None else settings.jobs.model_copy(update={"address": ray})
    with place.held("building"), connected(jobs, settings.plugins) as cluster:
        progress = Progress(console)
        triton_url = settings.triton.url or running_triton(place)
        made = Build(place, settings, data, progress, triton_url, cluster).run()
        with progress.step("user state") as step:
            seed_user_state(
                place, made.dataset, settings.router, lambda done, of: step.counted("shoppers", done, of)
            )


@app.command()
def ingest(
    data: Data = None,
    workspace: WorkspaceFolder = None,
    config: Config = DEFAULT_FILE,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Report only: nothing is written to the workspace.")
    ] = False,
) -> None:
    """Read, map and clean the shop's files and report what came of them, without training."""
    from shopfront.ingest_report import ingest_into

    place, settings = prepared(data, workspace, config)
    if dry_run:
        ingest_into(None, data, settings, console)
        console.print("dry run: nothing was kept")
        return
    with place.held("building"):
        ingest_into(place.root, data, settings, console)


@app.command()
def serve(data: Data = None, workspace: WorkspaceFolder = None, config: Config = DEFAULT_FILE) -> None:
    """Serve a workspace that is built, until Ctrl-C.

    Ends with status 1 where the router is lost, so that what started it can start it anew.
    """
    from shopfront.before_build import check_before_build

    place, settings = prepared(data, workspace, config)
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


@app.command()
def config(
    config: Annotated[
        Path | None, typer.Option(help="Configuration file; the keys of its plugins are printed too.")
    ] = None,
) -> None:
    """Print every configuration key with its default and its meaning."""
    from shopfront.commented_yaml import commented_yaml
    from shopfront.settings import default_settings, load_plugins_of

    if config is not None:
        load_plugins_of(config)
    try:
        sys.stdout.write(commented_yaml(default_settings()))
    except ValueError as error:
        raise Refused(f"{error}; give its Field one") from error


@app.command(
    add_help_option=False, context_settings={"ignore_unknown_options": True, "allow_extra_args": True}
)
def loadtest(context: typer.Context) -> None:
    """Load a gRPC service with ghz's flags and reports; `loadtest --help` lists them."""
    from loadtest.command import main as load

    raise typer.Exit(load(context.args, "shopfront loadtest"))


experiment = typer.Typer(no_args_is_help=True, help="Experiments: what came of them.")
app.add_typer(experiment, name="experiment")


@experiment.command("report")
def experiment_report(
    name: Annotated[str | None, typer.Argument(help="Experiment; default: every one in the log.")] = None,
    data: Data = None,
    workspace: WorkspaceFolder = None,
    config: Config = DEFAULT_FILE,
    output: Annotated[
        Path | None, typer.Option(help="Folder for JSON and picture; default <workspace>/experiments.")
    ] = None,
    picture: Annotated[str, typer.Option(help="Format of the picture: png, svg or pdf.")] = "png",
) -> None:
    """Compare an experiment's arms by the event log: CTR, CVR, GMV per user; a table, JSON and a picture."""
    from shopfront.experiment_report import UnknownExperiment, make_reports, write_report

    if picture not in ("png", "svg", "pdf"):
        raise Refused(f"--picture must be png, svg or pdf, got {picture}")
    place, settings = prepared(data, workspace, config)
    try:
        reports = make_reports(settings.router, name)
    except UnknownExperiment as error:
        raise Refused(str(error)) from error
    if not reports:
        raise Refused("the event log holds no answer of any experiment yet")
    for report in reports:
        write_report(report, output or place.root / "experiments", f".{picture}", console)


@app.command()
def satisfaction(
    alert: Annotated[
        bool, typer.Option("--alert", help="End with status 1 where satisfaction has dropped.")
    ] = False,
    dimension: Annotated[
        str, typer.Option(help="What the tables of groups show: overall, relevance, variety, price, …")
    ] = "overall",
    data: Data = None,
    workspace: WorkspaceFolder = None,
    config: Config = DEFAULT_FILE,
    output: Annotated[
        Path | None, typer.Option(help="Folder for JSON and picture; default <workspace>/satisfaction.")
    ] = None,
    picture: Annotated[str, typer.Option(help="Format of the picture: png, svg or pdf.")] = "png",
) -> None:
    """Report what shoppers said by item, shop, brand, category, scene, arm, segment, week; alert on drops."""
    from learning.satisfaction.dimensions import DIMENSIONS
    from learning.satisfaction.report.ratings import OVERALL
    from shopfront.satisfaction_report import make_report, write_report

    if picture not in ("png", "svg", "pdf"):
        raise Refused(f"--picture must be png, svg or pdf, got {picture}")
    if dimension not in (OVERALL, *DIMENSIONS.values()):
        raise Refused(f"--dimension must be {OVERALL} or one of {', '.join(DIMENSIONS.values())}")
    place, settings = prepared(data, workspace, config)
    report = make_report(settings.router, int(time.time() * 1_000), settings.seed)
    if not report.said:
        raise Refused("the event log holds no rating yet: SendFeedback brings them")
    write_report(report, output or place.root / "satisfaction", f".{picture}", dimension, console)
    if alert and report.look.alerts:
        raise typer.Exit(1)


app.add_typer(rollout, name="rollout")
app.add_typer(shopper, name="shopper")
app.add_typer(asking)
app.add_typer(measuring)
app.add_typer(learning)
app.add_typer(sandbox)
app.add_typer(sample_rules)
app.add_typer(merchandising)
app.add_typer(planning)
app.add_typer(related_words)
app.add_typer(mislabelled)
app.add_typer(titles)


@rollout.command("candidate")
def rollout_candidate(
    data: Data = None, workspace: WorkspaceFolder = None, config: Config = DEFAULT_FILE
) -> None:
    """Train the ranking model on the data that is served and export it, publishing nothing."""
    from shopfront.build_steps import Build
    from shopfront.progress import Progress

    place, settings = prepared(data, workspace, config, builds=True)
    with place.held("building"):
        version = Build(place, settings, data, Progress(console)).candidate(settings.router.ranking.model)
    console.print(f"version {version} waits for: shopfront rollout start {version}", highlight=False)


def main() -> Any:
    """Run the command; a mistake of the caller's ends in one line and exit status 1."""
    keep_files_private()
    interrupted = remember_interrupts()
    try:
        app()
    except Exception as error:
        if interrupted.is_set():
            # A library that is interrupted while it is imported raises an error of its own instead.
            sys.exit(INTERRUPTED)
        if not isinstance(error, (*known_errors(), OSError)):
            raise
        print_failure(errors, error)
        sys.exit(1)
