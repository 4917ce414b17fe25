"""`shopfront satisfaction` and `experiment report`: reports on the event log of a workspace's routers."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from shopfront.command_end import Refused
from shopfront.command_options import Config, Data, WorkspaceFolder, console, prepared
from shopfront.workspace import DEFAULT_FILE

app = typer.Typer()
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
