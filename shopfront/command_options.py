"""What the commands of `shopfront` share: the terminal, their options, and the workspace that these name."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from foundation.collection import collection_paused
from shopfront.workspace import Workspace

if TYPE_CHECKING:
    from shopfront.settings import Settings

# A log file has no width: what is written there must not be cut to a terminal's usual 80 columns.
console = Console(width=None if sys.stdout.isatty() else 120)
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
Ray = Annotated[
    str | None,
    typer.Option(
        "--ray", help="Ray cluster that does what can be done in parts, in the place of jobs.address."
    ),
]
Config = Annotated[Path, typer.Option(help="Configuration file.")]


def prepared(
    data: Path | None, folder: Path | None, config: Path, *, builds: bool = False
) -> tuple[Workspace, Settings]:
    """The workspace and its settings; `builds`: with what building needs of plug-ins loaded too."""
    workspace = Workspace(folder.absolute()) if folder is not None else Workspace.for_data(data)
    with collection_paused():
        from shopfront.plugins import load_for_building
        from shopfront.settings import load_settings

        settings = load_settings(config, workspace)
        if builds:
            load_for_building(settings.plugins)
    return workspace, settings
