"""What the data sets of a workspace hold of one shopper."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from server.privacy.report import ExportedRecord
from shopfront.workspace import Workspace
from snapshot.dataset import EVENTS_NAME, USERS_NAME, DatasetStore

if TYPE_CHECKING:
    import polars as pl


def data_sets_of(workspace: Workspace, user_id: str) -> list[str]:
    """Ids of the data sets that contain the shopper, oldest first."""
    return [id for id in DatasetStore(workspace.datasets).ids() if _user(workspace, id, user_id).height]


def rows_of_shopper(workspace: Workspace, user_id: str) -> Iterator[ExportedRecord]:
    """The shopper's row and events of each data set."""
    import polars as pl

    for id in DatasetStore(workspace.datasets).ids():
        folder = workspace.datasets / id
        user = _user(workspace, id, user_id)
        if not user.height:
            continue
        yield ExportedRecord(f"{folder}/{USERS_NAME}", user.row(0, named=True))
        items = pl.scan_parquet(folder / "items.parquet").select("item", "item_id")
        events = (
            pl.scan_parquet(folder / EVENTS_NAME)
            .filter(pl.col("user") == user["user"][0])
            .join(items, on="item", how="left", maintain_order="left")
            .collect()
        )
        for row in events.iter_rows(named=True):
            yield ExportedRecord(f"{folder}/{EVENTS_NAME}", row)


def _user(workspace: Workspace, id: str, user_id: str) -> pl.DataFrame:
    import polars as pl

    return (
        pl.scan_parquet(workspace.datasets / id / USERS_NAME).filter(pl.col("user_id") == user_id).collect()
    )
