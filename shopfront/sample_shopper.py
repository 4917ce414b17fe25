"""A shopper of the data to show an answer for, and titles for what caused it."""

from protos.shopfront.v1.recommend_pb2 import RecommendResponse
from shopfront.workspace import Workspace
from snapshot.dataset import Dataset
from snapshot.durable_files import write_durably
from snapshot.store import SnapshotStore

ENOUGH_EVENTS = 20


def choose_sample_shopper(workspace: Workspace, dataset: Dataset) -> str:
    """Remember, and return, the latest shopper with a fair history (or with the longest, where none has)."""
    import polars as pl

    chosen = (
        dataset.events()
        .group_by("user")
        .agg(count=pl.len().clip(upper_bound=ENOUGH_EVENTS), last=pl.col("ts").max())
        .sort("count", "last", "user", descending=True)
        .first()
        .collect()
    )
    user = int(chosen["user"][0])
    user_id = str(dataset.users()["user_id"][user - 1])
    write_durably(workspace.sample_shopper, user_id.encode())
    return user_id


def sample_shopper(workspace: Workspace) -> str:
    """The shopper chosen when the workspace was built; empty (anonymous) where none was."""
    path = workspace.sample_shopper
    return path.read_text() if path.is_file() else ""


def trigger_titles(workspace: Workspace, answer: RecommendResponse) -> dict[str, str]:
    """Titles by item id of every trigger in the answer."""
    ids = sorted({reason.trigger_item_id for item in answer.items for reason in item.reasons} - {""})
    if not ids:
        return {}
    catalogue = SnapshotStore(workspace.snapshots).open_current(verify=False).catalogue
    return dict(zip(ids, catalogue.titles(catalogue.dense(ids)), strict=True))
