"""`shopfront category-network` and `name-category`: a shop's small network for categories of pictures."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from shopfront.command_end import Refused
from shopfront.command_options import Config, Data, WorkspaceFolder, console, prepared
from shopfront.workspace import DEFAULT_FILE, Workspace

if TYPE_CHECKING:
    from models.category_training import Told
    from shopfront.settings import Settings
    from vision.small_predictor import Likely, Meaning

app = typer.Typer()


def train_for(
    workspace: Workspace,
    settings: Settings,
    data: Path | None,
    columns: list[str],
    folder: Path,
    passes: int,
    told: Told,
) -> tuple[Meaning, dict[str, int]]:
    """Trains by the pictures of the current data set's items; `vision.train_small_network` says how.

    Args:
        workspace: has a data set.
        settings: bound what is read, and say how pictures are drawn (`pictures.category_network`).
        data: the folder that paths of pictures start at.
        columns: item columns of groups, the one that counts most first.
        folder: gets the files.
        passes: over all pictures to learn from; 0 = as many as are worth their time.
        told: after each pass.

    Returns:
        What the network's outputs mean, and how many pictures could not be used, by reason.

    Raises:
        ValueError: there are no pictures, no such column, or too few pictures of a group.
    """
    import numpy as np

    from models.category_network import SIDES
    from shopfront.picture_step import why_none
    from snapshot.dataset import DatasetStore
    from snapshot.item_columns import ITEM_COLUMNS

    datasets = DatasetStore(workspace.datasets)
    for column in columns:
        if column not in ITEM_COLUMNS or ITEM_COLUMNS[column].kind != "group":
            raise ValueError(f"the items have no column {column} of groups")
    if datasets.current_id() is None:
        raise ValueError(f"{workspace.root} has no data set: run shopfront build first")
    dataset = datasets.open_current()
    missing = why_none(settings, dataset.manifest)
    if missing:
        raise ValueError(missing)
    from vision.category_sales import sales_of
    from vision.item_files import count_pictures, item_pictures
    from vision.small_predictor import pixels_of
    from vision.train_small_network import Level, train_small_network

    table, catalogue, chosen = dataset.items(), dataset.catalogue, settings.pictures
    total = count_pictures(table, chosen.per_item)
    folder.mkdir(parents=True, exist_ok=True)
    # Pixels of a hundred thousand pictures are 4 GB: a file, of which memory holds what it can.
    with TemporaryDirectory(dir=folder) as scratch:
        pixels = np.memmap(Path(scratch) / "pixels", np.uint8, "w+", shape=(max(total, 1), *SIDES, 3))
        pictures = item_pictures(table, data, chosen.per_item, chosen.limits)
        items, refused = pixels_of(pictures, chosen.limits, pixels)
        levels = [
            Level(
                column,
                np.asarray(catalogue.column(column))[items],
                catalogue.names(column, np.arange(catalogue.code_count(column) + 1)),
            )
            for column in columns
        ]
        drawing = chosen.category_network
        sales = sales_of(dataset.events(), np.asarray(catalogue.column(columns[0])), drawing.sales_days)
        meaning = train_small_network(
            pixels, items, levels, folder, passes, settings.seed, told, sales, drawing
        )
    return meaning, refused


@app.command("category-network")
def category_network(
    to: Annotated[Path, typer.Option(help="Folder that gets the network and its names.")],
    column: Annotated[
        list[str] | None,
        typer.Option(help="Item column of groups that it names, the one that counts most first; several."),
    ] = None,
    passes: Annotated[
        int, typer.Option(min=0, max=1_000, help="Over all pictures; 0 = 16, more of few.")
    ] = 0,
    data: Data = None,
    workspace: WorkspaceFolder = None,
    config: Config = DEFAULT_FILE,
) -> None:
    """Train a network of 2 MB that names categories of pictures and runs anywhere."""
    place, settings = prepared(data, workspace, config)

    def told(done: int, loss: float) -> None:
        console.print(f"pass {done}: loss {loss:.3f}", highlight=False)

    try:
        meaning, refused = train_for(place, settings, data, column or ["category"], to, passes, told)
    except ValueError as error:
        raise Refused(str(error)) from error
    for reason, count in sorted(refused.items()):
        console.print(Text(f"left out: {count:,} × {reason}"))
    console.print(f"pictures were drawn {meaning.drawn}", highlight=False)
    for level in meaning.levels:
        sold = level.accuracy_as_sold
        weighted = "" if sold is None else f" ({sold:.1%}, weighted as their categories were bought)"
        console.print(
            f"{level.column}: {len(level.names):,} names, {level.accuracy:.1%} of the pictures held out are "
            f"named right{weighted}; nothing known below {level.least_probability:.2f}",
            highlight=False,
        )


@app.command("name-category")
def name_category(
    photo: Annotated[Path, typer.Argument(help="Picture file.")],
    network: Annotated[Path, typer.Option(help="Folder that category-network wrote.")],
    top: Annotated[int, typer.Option(min=1, max=100, help="How many names.")] = 5,
) -> None:
    """Print the likeliest categories of a picture, by a network of category-network."""
    try:
        found = named(photo, network, top)
    except ValueError as error:
        raise Refused(str(error)) from error
    table = Table("column", "name", "probability", box=box.SIMPLE)
    for level in found:
        for name, probability in zip(level.names, level.probabilities, strict=True):
            table.add_row(Text(level.column), Text(name), f"{probability:.3f}")
    console.print(table)
    for level in found:
        if not level.known:
            console.print(Text(f"{level.column}: the picture is of nothing known"))


def named(photo: Path, network: Path, top: int) -> list[Likely]:
    """What a network says of a picture file. Raises ValueError where either cannot be used."""
    from shopfront.picture_command import read_picture
    from vision.decode import PictureRefused, decode
    from vision.settings import PictureLimits
    from vision.small_predictor import SmallPredictor

    predictor = SmallPredictor(network)
    try:
        return predictor.name(decode(read_picture(photo), PictureLimits()), top)
    except PictureRefused as refusal:
        raise ValueError(f"{photo}: {refusal}") from refusal
