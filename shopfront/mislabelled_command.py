"""`shopfront mislabelled-pictures`: items whose pictures say another category than the catalogue does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from shopfront.command_end import Refused
from shopfront.command_options import Config, Data, WorkspaceFolder, console, prepared
from shopfront.workspace import DEFAULT_FILE, Workspace

if TYPE_CHECKING:
    import polars as pl

app = typer.Typer()


def mislabelled_table(workspace: Workspace, column: str, seed: int) -> tuple[pl.DataFrame, int, float]:
    """Items that are probably listed wrongly, by the pictures of the newest build.

    Args:
        workspace: a built one, whose items have pictures.
        column: item column of groups, such as category.
        seed: of what is drawn.

    Returns:
        item_id, title, listed, likely, listed_probability, likely_probability, the surest first; how many
        items were judged; and the part of these whose picture says what is listed.

    Raises:
        ValueError: there are no pictures, no such column, or too few items of a group.
    """
    import numpy as np
    import polars as pl

    from shopfront import picture_step
    from shopfront.build_record import BuildRecord
    from snapshot.dataset import DatasetStore
    from snapshot.item_columns import ITEM_COLUMNS
    from vision.mislabelled import find_mislabelled

    record = BuildRecord(workspace.build_record)
    made = record.latest(picture_step.STEP) if record.has_run(picture_step.STEP) else ""
    datasets = DatasetStore(workspace.datasets)
    pictures = picture_step.opened(workspace, made)
    if pictures is None or datasets.current_id() is None:
        raise ValueError(f"{workspace.root} has no pictures: bring a column `image` of the items, and build")
    catalogue = datasets.open_current().catalogue
    if len(pictures.groups) != catalogue.size + 1:
        raise ValueError(f"the pictures of {workspace.root} are of another data set: build again")
    if column not in ITEM_COLUMNS or ITEM_COLUMNS[column].kind != "group":
        raise ValueError(f"the items have no column {column} of groups")
    found = find_mislabelled(pictures.items, pictures.vectors, np.asarray(catalogue.column(column)), seed)
    if found is None:
        raise ValueError(f"too few items with pictures: 50 are needed, and five of each of two of {column}")
    table = pl.DataFrame(
        {
            "item_id": catalogue.item_ids(found.items),
            "title": catalogue.titles(found.items),
            "listed": catalogue.names(column, found.listed),
            "likely": catalogue.names(column, found.likely),
            "listed_probability": found.listed_probability,
            "likely_probability": found.likely_probability,
        },
        schema_overrides=dict.fromkeys(("item_id", "title", "listed", "likely"), pl.String),
    )
    return table, found.judged, found.accuracy


@app.command("mislabelled-pictures")
def mislabelled_pictures(
    column: Annotated[str, typer.Option(help="Item column of groups that is judged.")] = "category",
    top: Annotated[int, typer.Option(min=1, max=1_000, help="How many are printed.")] = 20,
    csv: Annotated[Path | None, typer.Option(help="File that gets all of them.")] = None,
    data: Data = None,
    workspace: WorkspaceFolder = None,
    config: Config = DEFAULT_FILE,
) -> None:
    """Print items whose pictures say another category than the catalogue: mistakes of either, to look at."""
    from snapshot.durable_files import write_durably

    place, settings = prepared(data, workspace, config)
    try:
        found, judged, accuracy = mislabelled_table(place, column, settings.seed)
    except ValueError as error:
        raise Refused(str(error)) from error
    shown = Table("item", "title", f"{column} listed", "picture says", "listed", "says", box=box.SIMPLE)
    for row in found.head(top).iter_rows():
        shown.add_row(*(Text(text) for text in row[:4]), *(f"{value:.2f}" for value in row[4:]))
    console.print(shown)
    console.print(
        f"{found.height:,} of {judged:,} items look listed wrongly; {accuracy:.1%} of the pictures say what "
        "is listed",
        highlight=False,
    )
    if csv is not None:
        write_durably(csv, found.write_csv().encode())
