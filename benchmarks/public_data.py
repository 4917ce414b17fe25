"""Public data sets by name, ingested once each into a folder of their own."""

from __future__ import annotations

import tempfile
from pathlib import Path

import polars as pl

from ingest.ingest_folder import ingest_folder, ingest_sample
from ingest.settings import IngestSettings
from snapshot.dataset import Dataset, DatasetStore

SHARED = Path(__file__).parents[2] / "shared" / "data"
TAOBAO = SHARED / "taobao_userbehavior" / "events_by_user.parquet"
AMAZON_BEAUTY = SHARED / "amazon_beauty"
NAMES = ("sample", "taobao", "amazon_beauty")
"""`sample` comes from a package; the others lie in `shared/data` beside the checkout, if at all."""


def dataset_of(name: str, workspace: Path, seed: int) -> Dataset | None:
    """One of `NAMES`, ingested once into `workspace/<name>`; None where its files are absent."""
    store = DatasetStore(workspace / name / "datasets")
    if store.current_id() is not None:
        return store.open_current()
    if name == "sample":
        return ingest_sample(workspace / name, IngestSettings(), seed)
    if name == "amazon_beauty":
        if not AMAZON_BEAUTY.is_dir():
            return None
        return ingest_folder(AMAZON_BEAUTY, workspace / name, IngestSettings(), seed)
    if not TAOBAO.is_file():
        return None
    with tempfile.TemporaryDirectory() as folder:
        pl.read_parquet(TAOBAO).write_csv(Path(folder) / "UserBehavior.csv", include_header=False)
        return ingest_folder(Path(folder), workspace / name, IngestSettings(), seed)
