"""`shopfront learn`: the learner of a workspace in this process."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Annotated

import typer

from shopfront.command_options import Config, Data, WorkspaceFolder, console, prepared
from shopfront.workspace import DEFAULT_FILE

app = typer.Typer()


@app.command()
def learn(data: Data = None, workspace: WorkspaceFolder = None, config: Config = DEFAULT_FILE) -> None:
    """Learn from a built workspace's event log, live counters and a ranker, until Ctrl-C.

    `run` and `serve` start it by themselves, as router.learning.enabled says.
    """
    from shopfront.learner import learn as learn_until
    from shopfront.serve import stop_signals

    place, settings = prepared(data, workspace, config)
    place.make()
    # Answers come first where cores are few.
    os.nice(5)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with stop_signals() as stop:
        learn_until(settings.router, stop)


@app.command()
def samples(
    data: Data = None,
    workspace: WorkspaceFolder = None,
    config: Config = DEFAULT_FILE,
    output: Annotated[
        Path | None, typer.Option(help="Parquet file; default <workspace>/learning/samples.parquet.")
    ] = None,
    label_wait: Annotated[
        int, typer.Option(min=1, help="Seconds after an impression for which its label is waited for.")
    ] = 1_800,
) -> None:
    """Write what serving saw of each reported impression, with what the shopper did then.

    Reads the feature log, which a scene writes with `feature_log: {enabled: true}`, and the event log.
    """
    from shopfront.labelled_samples import write_samples

    place, settings = prepared(data, workspace, config)
    place.make()
    path = output or settings.router.learning.folder / "samples.parquet"
    written = write_samples(settings.router, label_wait, path)
    console.print(f"{written.rows:,} samples of {written.answers:,} logged answers in {path}", markup=False)
    if written.waiting:
        console.print(f"{written.waiting:,} further impressions wait for their label")
    for reason, count in written.dropped:
        console.print(f"{count:>12,}  {reason}", markup=False, highlight=False)
