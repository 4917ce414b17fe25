"""The `shopfront` command."""

import logging
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Any, Literal

import grpc
import typer
from rich.console import Console

from foundation.storage.private_files import keep_files_private
from router.service.validation import ITEM_SCENES
from server.ingress.client_channel import RouterAddress, why_unanswered
from shopfront.before_build import check_before_build
from shopfront.command_end import (
    INTERRUPTED,
    Refused,
    RouterLost,
    known_errors,
    print_failure,
    remember_interrupts,
)
from shopfront.looked_for import NOTHING, LookedFor, MustField
from shopfront.merchandising_commands import app as merchandising
from shopfront.plugins import load_for_building
from shopfront.rollout_commands import app as rollout
from shopfront.router_options import own_router, takes_router
from shopfront.settings import (
    DEFAULT_FILE,
    Settings,
    load_plugins_of,
    load_settings,
    main_scene,
    scene_configuration,
)
from shopfront.workspace import PROJECT, Workspace

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Recommendation serving: build a workspace from logs, serve it, ask it, evaluate it.",
)
# A log file has no width: what is written there must not be cut to a terminal's usual 80 columns.
console = Console(width=None if sys.stdout.isatty() else 120)
# The report of ingest shows its alarms, so they need not be logged to the terminal too.
logging.getLogger("ingest").addHandler(logging.NullHandler())
errors = Console(stderr=True, width=None if sys.stderr.isatty() else 120)

Data = Annotated[
    Path | None, typer.Option(help="Folder with the shop's files; without it the sample data is used.")
]
WorkspaceFolder = Annotated[
    Path | None,
    typer.Option(
        "--workspace", help="Folder for everything made; default build/sample or build/<data folder>."
    ),
]
Config = Annotated[Path, typer.Option(help="Configuration file.")]
User = Annotated[str, typer.Option(help="Shopper to ask for; default: one with a history.")]
Scene = Annotated[
    str, typer.Option(help="Scene to ask for; default: home, and with --item that of the kind.")
]


def _prepared(
    data: Path | None, folder: Path | None, config: Path, *, builds: bool = False
) -> tuple[Workspace, Settings]:
    workspace = Workspace(folder.absolute()) if folder is not None else Workspace.for_data(data)
    settings = load_settings(config, workspace)
    if builds:
        load_for_building(settings.plugins)
    return workspace, settings


@app.command()
def run(data: Data = None, workspace: WorkspaceFolder = None, config: Config = DEFAULT_FILE) -> None:
    """Build what is missing, start Triton and the router, print an answer, stay up until Ctrl-C."""
    from triton_repo.bound_process import bound
    from triton_repo.installation import Installation

    place, settings = _prepared(data, workspace, config)
    if not settings.triton.url:
        # What keeps Triton from starting is better said before minutes of training than after.
        Installation.find()
    with place.held("serving"):
        _end_abandoned()
        check_before_build(place, settings)
        # A process of its own, so that the memory of training is not kept while serving.
        build = [sys.executable, "-m", "shopfront", "build", "--config", str(config)]
        build += ["--workspace", str(place.root)] + (["--data", str(data)] if data is not None else [])
        finished = subprocess.run(bound(build), check=False)
        if finished.returncode:
            raise typer.Exit(finished.returncode)
        _serve(place, settings, supervised=True)


@app.command()
def build(
    data: Data = None,
    workspace: WorkspaceFolder = None,
    config: Config = DEFAULT_FILE,
) -> None:
    """Ingest, train, export, build recall tables and publish; a running router takes it over."""
    from shopfront.build_steps import Build
    from shopfront.progress import Progress
    from shopfront.serve import running_triton, seed_user_state

    place, settings = _prepared(data, workspace, config, builds=True)
    with place.held("building"):
        progress = Progress(console)
        made = Build(place, settings, data, progress, settings.triton.url or running_triton(place)).run()
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

    place, settings = _prepared(data, workspace, config)
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
    place, settings = _prepared(data, workspace, config)
    with place.held("serving"):
        _end_abandoned()
        check_before_build(place, settings)
        _serve(place, settings, supervised=False)


def _say(line: str) -> None:
    errors.print(line, style="yellow", markup=False, highlight=False)


def _end_abandoned() -> None:
    """What a killed router left may hold the ports that this one needs."""
    from server.ingress.session_folder import end_abandoned

    for line in end_abandoned():
        _say(line)


def _serve(place: Workspace, settings: Settings, *, supervised: bool) -> None:
    from shopfront.log_bounds import LogBounds
    from shopfront.serve import serving, stop_signals

    with stop_signals() as stop, console.status("starting Triton and the router") as status:
        with serving(place, settings, _say, restarts=supervised) as served:
            status.stop()
            if supervised:
                _show_sample(place, settings, served.address)
            console.print(f"\nServing gRPC on [bold]{served.address}[/]", highlight=False)
            if served.metrics_port is not None:
                console.print(f"Metrics on http://127.0.0.1:{served.metrics_port}/metrics", highlight=False)
            console.print(f"Logs in {place.logs}", markup=False, highlight=False)
            console.print("Ctrl-C stops everything.")
            bounds = LogBounds(place.logs, settings.router.request_log, _say, time.monotonic)
            while not stop.wait(0.5):
                bounds.look()
                if served.watcher.given_up:
                    raise RouterLost(f"{served.watcher.given_up}; its log is {place.logs / 'router.log'}")
            console.print("stopping …")
        console.print("stopped")


def _show_sample(place: Workspace, settings: Settings, address: str) -> None:
    """Prints an answer of the router that was just started; where it cannot be asked, why."""
    from shopfront.answer_table import ask, show
    from shopfront.sample_shopper import sample_shopper, trigger_titles

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
@takes_router
def recommend(
    router: RouterAddress,
    user: User = "",
    scene: Scene = "",
    page_size: Annotated[int, typer.Option(help="Items wanted.")] = 10,
    cart: Annotated[
        str, typer.Option(help="Items in the shopper's cart, their ids with commas between them.")
    ] = "",
    item: Annotated[str, typer.Option(help="Ask for items that go with this one.")] = "",
    kind: Annotated[
        Literal["similar", "complementary"] | None,
        typer.Option(help="With --item: what may be taken instead of it, or with it; default: both."),
    ] = None,
    query: Annotated[str, typer.Option(help="What the shopper searched for.")] = "",
    category: Annotated[
        str, typer.Option(help="Category the shopper is in, or the first parts of its path.")
    ] = "",
    brand: Annotated[str, typer.Option(help="Brand the shopper wants.")] = "",
    price_from: Annotated[float | None, typer.Option(help="Lowest price the shopper wants.")] = None,
    price_to: Annotated[float | None, typer.Option(help="Highest price the shopper wants.")] = None,
    must: Annotated[
        list[MustField] | None,
        typer.Option(help="Which of these every item must satisfy; may be given several times."),
    ] = None,
    cursor: Annotated[str, typer.Option(help="The next page: what the page before printed.")] = "",
    trace: Annotated[bool, typer.Option(help="Show the trace of the stages.")] = False,
) -> None:
    """Ask a running router and print its answer."""
    from shopfront.answer_table import ask, ask_about, show
    from shopfront.trigger_titles import titles_of_triggers

    if item and cart:
        raise Refused("--item asks for a page about one item, --cart for one about several: name one of them")
    if kind and not item:
        raise Refused("--kind says which items go with one: name it with --item")
    ids = [each.strip() for each in cart.split(",") if each.strip()]
    looked_for = LookedFor(query, category, brand, price_from, price_to, must or ())
    try:
        if item:
            answer = ask_about(
                router,
                item,
                user,
                kind,
                scene,
                page_size,
                looked_for=looked_for,
                cursor=cursor,
                with_trace=trace,
            )
        else:
            answer = ask(
                router,
                user,
                scene or ("home" if looked_for == NOTHING else "search_companion"),
                page_size,
                cart=ids,
                looked_for=looked_for,
                cursor=cursor,
                with_trace=trace,
            )
        show(console, user, answer, titles_of_triggers(router, answer), with_cursor=True)
    except grpc.RpcError as error:
        raise Refused(why_unanswered(router, error)) from error


Items = Annotated[list[str] | None, typer.Option(help="Item; may be given several times.")]


@app.command()
@takes_router
def feedback(
    router: RouterAddress,
    user: Annotated[str, typer.Option(help="Shopper who says it.")],
    rate: Annotated[
        list[str] | None,
        typer.Option(
            help="DIMENSION=VALUE, repeated: relevance, variety, price, delivery or service, 1 to 5."
        ),
    ] = None,
    reason: Annotated[list[str] | None, typer.Option(help="Why, such as too_expensive; repeated.")] = None,
    comment: Annotated[str, typer.Option(help="Free text.")] = "",
    item: Annotated[str, typer.Option(help="Item that ratings, reasons and comment are about.")] = "",
    not_interested: Items = None,
    with_brand: Annotated[bool, typer.Option("--with-brand", help="Nor in its brand.")] = False,
    with_category: Annotated[bool, typer.Option("--with-category", help="Nor in its category.")] = False,
    seen_too_often: Items = None,
    own_it: Items = None,
    undo: Items = None,
    attribution_token: Annotated[str, typer.Option(help="Token of the answer it is about.")] = "",
    feedback_id: Annotated[str, typer.Option(help="For sending again safely.")] = "",
) -> None:
    """Send what a shopper says to a running router: ratings, and what not to show."""
    from protos.shopfront.v1.feedback_pb2 import SendFeedbackRequest
    from shopfront.feedback_command import parse_rating, said_of_items, send_feedback

    try:
        ratings = [parse_rating(text) for text in rate or ()]
    except ValueError as error:
        raise Refused(str(error)) from error
    request = SendFeedbackRequest(
        user_id=user,
        ratings=ratings,
        reasons=reason or (),
        comment=comment,
        item_id=item,
        items=said_of_items(
            not_interested=not_interested or (),
            seen_too_often=seen_too_often or (),
            own_it=own_it or (),
            undo=undo or (),
            with_brand=with_brand,
            with_category=with_category,
        ),
        attribution_token=attribution_token,
        feedback_id=feedback_id,
    )
    try:
        answer = send_feedback(router, request)
    except grpc.RpcError as error:
        raise Refused(why_unanswered(router, error)) from error
    stored = "stored before: nothing was added" if answer.already_stored else "stored"
    console.print(f"{stored}{', credited to its answer' if answer.credited else ''}")


@app.command("console")
@takes_router
def console_command(
    router: RouterAddress,
    listen: Annotated[
        str, typer.Option(help="host:port for browsers; beyond loopback --users is needed.")
    ] = "127.0.0.1:9001",
    users: Annotated[
        Path | None, typer.Option(help="File of users, one a line: viewer or operator, a name, a token.")
    ] = None,
    host: Annotated[
        list[str] | None, typer.Option(help="Further host name by which browsers call; may be repeated.")
    ] = None,
    audit: Annotated[Path, typer.Option(help="File to which every change is added.")] = Path(
        "console_audit.jsonl"
    ),
) -> None:
    """Show a running router in a browser, until Ctrl-C."""
    from pydantic import ValidationError

    from console.access import AccessError
    from console.app import serve
    from console.settings import ConsoleSettings
    from server.ingress_settings import split_address
    from shopfront.before_build import why_taken

    try:
        settings = ConsoleSettings(address=listen, tokens_file=users, hosts=tuple(host or ()), audit=audit)
        taken = why_taken(*split_address(listen))
        if taken:
            raise Refused(f"{listen} cannot be taken ({taken}); stop what holds it, or give --listen")
        console.print(f"Console on http://{listen}/ for the router at {router.address}", highlight=False)
        serve(router, settings)
    except ValidationError as error:
        raise Refused("; ".join(each["msg"] for each in error.errors())) from error
    except AccessError as error:
        raise Refused(str(error)) from error


@app.command()
def evaluate(data: Data = None, workspace: WorkspaceFolder = None, config: Config = DEFAULT_FILE) -> None:
    """Measure ranking, recall and served pages beside baselines and peers; writes the tables as JSON too."""
    from shopfront.build_steps import Build
    from shopfront.evaluation import evaluate_workspace
    from shopfront.progress import Progress
    from shopfront.serve import running_triton

    place, settings = _prepared(data, workspace, config, builds=True)
    with place.held("building"):
        progress = Progress(console)
        made = Build(place, settings, data, progress, settings.triton.url or running_triton(place)).run()
        with progress.step("evaluate") as step:
            report = evaluate_workspace(place, made, settings, step.counted)
    path = PROJECT / "build" / "evaluation" / f"{place.root.name}.json"
    report.write(path)
    # One per data set, so that the console compares them.
    report.write(place.evaluation / f"{report.dataset}.json")
    console.print(report.as_table())
    console.print(f"written to {path}", markup=False, highlight=False)


@app.command()
def shares(data: Data = None, workspace: WorkspaceFolder = None, config: Config = DEFAULT_FILE) -> None:
    """Propose the channels' shares for a scene, chosen on the validation range."""
    from shopfront.build_steps import Build
    from shopfront.evaluation import choose_workspace_shares
    from shopfront.progress import Progress
    from shopfront.serve import running_triton
    from shopfront.shares_table import shares_table

    place, settings = _prepared(data, workspace, config, builds=True)
    with place.held("building"):
        progress = Progress(console)
        made = Build(place, settings, data, progress, settings.triton.url or running_triton(place)).run()
        with progress.step("choose shares") as step:
            chosen = choose_workspace_shares(place, made, settings, step.stage)
    console.print(shares_table(chosen, settings.evaluation.fused_total))


@app.command()
def pages(
    user: Annotated[
        list[str] | None, typer.Option(help="Shopper; may be given several times. Default: some are drawn.")
    ] = None,
    scene: Annotated[
        list[str] | None, typer.Option(help="Scene; may be given several times. Default: every one.")
    ] = None,
    item: Annotated[
        list[str] | None, typer.Option(help="Show pages about this item; may be given several times.")
    ] = None,
    shoppers: Annotated[int, typer.Option(min=0, max=100, help="Drawn where no --user is given.")] = 3,
    size: Annotated[int, typer.Option(min=1, max=100, help="Items of a page.")] = 10,
    seed: Annotated[int, typer.Option(min=0, help="Of the draw.")] = 1,
    data: Data = None,
    workspace: WorkspaceFolder = None,
    config: Config = DEFAULT_FILE,
) -> None:
    """Print pages of a built workspace side by side, for reading: of shoppers, or about items.

    They are made in this process, over the published snapshot and at the end of its log; no router is asked.
    """
    from shopfront.page_reading import ANONYMOUS, PageReader
    from shopfront.page_sheet import show_sheet

    for name in scene or ():
        if name in ITEM_SCENES and not item:
            raise Refused(f"the scene {name} is about an item: name one with --item")
    place, settings = _prepared(data, workspace, config, builds=True)
    configured = scene_configuration(settings)
    scenes = scene or [name for name in configured if item and name in ITEM_SCENES]
    reader = PageReader.open(place, settings, scenes)
    if item:
        for shopper in (ANONYMOUS, *(user or ())):
            for sheet in reader.pages_about(item, shopper, size):
                show_sheet(console, sheet)
    else:
        for shopper in (*(user or reader.draw(shoppers, seed)), ANONYMOUS):
            show_sheet(console, reader.pages_for(shopper, size))
    console.print("* the shopper took it before")


@app.command()
def config(
    config: Annotated[
        Path | None, typer.Option(help="Configuration file; the keys of its plugins are printed too.")
    ] = None,
) -> None:
    """Print every configuration key with its default and its meaning."""
    from shopfront.commented_yaml import commented_yaml
    from shopfront.settings import default_settings

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
    place, settings = _prepared(data, workspace, config)
    try:
        reports = make_reports(settings.router, name)
    except UnknownExperiment as error:
        raise Refused(str(error)) from error
    if not reports:
        raise Refused("the event log holds no answer of any experiment yet")
    for report in reports:
        write_report(report, output or place.root / "experiments", f".{picture}", console)


app.add_typer(rollout, name="rollout")
app.add_typer(merchandising)


@rollout.command("candidate")
def rollout_candidate(
    data: Data = None, workspace: WorkspaceFolder = None, config: Config = DEFAULT_FILE
) -> None:
    """Train the ranking model on the data that is served and export it, publishing nothing."""
    from shopfront.build_steps import Build
    from shopfront.progress import Progress

    place, settings = _prepared(data, workspace, config, builds=True)
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
