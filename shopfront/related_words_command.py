"""`shopfront related-words`: words near to a search or a shopper, by the channel query_intent."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from shopfront.command_end import Refused
from shopfront.command_options import Config, Data, WorkspaceFolder, console, prepared
from shopfront.workspace import DEFAULT_FILE

if TYPE_CHECKING:
    from recall.channel import ModelCall

app = typer.Typer()

_LATEST = 20


@app.command("related-words")
def related_words(
    query: Annotated[str, typer.Option(help="Search that the words are to be related to.")] = "",
    user: Annotated[str, typer.Option(help="Shopper whose latest items they are to be related to.")] = "",
    words: Annotated[int, typer.Option(min=1, max=100, help="How many.")] = 10,
    data: Data = None,
    workspace: WorkspaceFolder = None,
    config: Config = DEFAULT_FILE,
) -> None:
    """Print words to search by next, for a search or a shopper; needs the channel query_intent."""
    import numpy as np

    from recall.build import RECALL_FOLDER
    from recall.channel import Services
    from recall.query_intent import NAME, open_channel
    from snapshot.manifest import SnapshotError
    from snapshot.store import SnapshotStore
    from state.registry import open_state

    if bool(query) == bool(user):
        raise Refused("name either --query or --user")
    place, settings = prepared(data, workspace, config)
    snapshots = SnapshotStore(place.snapshots)
    if snapshots.current_id() is None:
        raise Refused(f"{place.root} has no published snapshot: run shopfront build first")
    snapshot = snapshots.open_current(verify=False)
    folder = snapshot.path / RECALL_FOLDER / NAME
    if not folder.is_dir():
        raise Refused(
            f"the published snapshot has no words of searches: set router.recall.{NAME}.enabled and run "
            "shopfront build"
        )
    try:
        channel = open_channel(
            folder,
            snapshot.catalogue,
            Services(_no_model),
            getattr(settings.router.recall, NAME),
        )
    except SnapshotError as error:
        raise Refused(f"the words of searches cannot be opened: {error}") from error
    if query:
        found = channel.related_words(query, words)
    else:
        store = open_state(settings.router.state)
        try:
            state = asyncio.run(store.read(user))
        finally:
            store.close()
        items = snapshot.catalogue.dense_from_keys(state.behaviours.items[:_LATEST])
        items = items[items > 0]
        found = channel.words_of_items(items, 0.9 ** np.arange(items.size, dtype=np.float32), words)
    if not found:
        raise Refused("no word is related to it: it has no known word, or the shopper did nothing")
    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("word")
    table.add_column("cosine", justify="right")
    for word, likeness in found:
        table.add_row(Text(word), f"{likeness:.3f}")
    console.print(table)


def _no_model(name: str) -> ModelCall:
    """The channel calls no model."""
    raise LookupError(name)
