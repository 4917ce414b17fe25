"""`shopfront evaluate`, `shares`, `pages`, `report` and `loadtest`: how good and how fast answers are."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from shopfront.command_end import Refused
from shopfront.command_options import Config, Data, WorkspaceFolder, console, prepared
from shopfront.workspace import DEFAULT_FILE, PROJECT

app = typer.Typer()


@app.command()
def evaluate(data: Data = None, workspace: WorkspaceFolder = None, config: Config = DEFAULT_FILE) -> None:
    """Measure ranking, recall and served pages beside baselines and peers; writes the tables as JSON too."""
    from shopfront.build_steps import Build
    from shopfront.evaluation import evaluate_workspace
    from shopfront.progress import Progress
    from shopfront.serve import running_triton

    place, settings = prepared(data, workspace, config, builds=True)
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

    place, settings = prepared(data, workspace, config, builds=True)
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
    from router.service.validation import ITEM_SCENES
    from shopfront.page_reading import ANONYMOUS, PageReader
    from shopfront.page_sheet import show_sheet
    from shopfront.settings import scene_configuration

    for name in scene or ():
        if name in ITEM_SCENES and not item:
            raise Refused(f"the scene {name} is about an item: name one with --item")
    place, settings = prepared(data, workspace, config, builds=True)
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
def report(
    days: Annotated[
        int | None, typer.Option(min=1, help="Days before now that count; default: the whole event log.")
    ] = None,
    data: Data = None,
    workspace: WorkspaceFolder = None,
    config: Config = DEFAULT_FILE,
    output: Annotated[
        Path | None, typer.Option(help="Folder for the JSON; default <workspace>/experiments.")
    ] = None,
) -> None:
    """Report CTR, CVR, GMV per shopper, retention, paying rate and stickiness by segment and by arm."""
    from shopfront.business_report import make_report, write_report

    place, settings = prepared(data, workspace, config)
    since_ms = 0 if days is None else int((time.time() - days * 86_400) * 1_000)
    made = make_report(settings.router, since_ms)
    if made is None:
        raise Refused("the event log holds no event of these days: ReportEvents brings them")
    write_report(made, output or place.root / "experiments", console)


@app.command(
    add_help_option=False, context_settings={"ignore_unknown_options": True, "allow_extra_args": True}
)
def loadtest(context: typer.Context) -> None:
    """Load a gRPC service with ghz's flags and reports; `loadtest --help` lists them."""
    from loadtest.command import main as load

    raise typer.Exit(load(context.args, "shopfront loadtest"))
