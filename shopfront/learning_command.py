"""`shopfront learn`: the learner of a workspace in this process."""

from __future__ import annotations

import logging
import os

import typer

from shopfront.command_options import Config, Data, WorkspaceFolder, prepared
from shopfront.workspace import DEFAULT_FILE

app = typer.Typer()


@app.command()
def learn(data: Data = None, workspace: WorkspaceFolder = None, config: Config = DEFAULT_FILE) -> None:
    """Learn from a built workspace's event log, live counters and a ranker, until Ctrl-C.

    `run` and `serve` start it by themselves where router.learning.enabled is true.
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
