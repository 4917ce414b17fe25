"""`shopfront build`, `ingest` and `config`: from a shop's files to a published snapshot."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

from shopfront.command_end import Refused
from shopfront.command_options import Config, Data, Ray, WorkspaceFolder, console, prepared
from shopfront.workspace import DEFAULT_FILE

app = typer.Typer()
# The report of ingest shows its alarms, so they need not be logged to the terminal too.
logging.getLogger("ingest").addHandler(logging.NullHandler())


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

    place, settings = prepared(data, workspace, config, builds=True)
    if dry_run:
        ingest_into(None, data, settings, console)
        console.print("dry run: nothing was kept")
        return
    with place.held("building"):
        ingest_into(place.root, data, settings, console)


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
