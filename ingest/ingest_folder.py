"""Ingest of a shop's folder or of the sample, from files to a sealed data set."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from ingest.dataset_writer import write_dataset
from ingest.importer_check import check_handed_over
from ingest.importers import sample
from ingest.importers.registry import IMPORTERS, detect_layout
from ingest.settings import IngestSettings
from ingest.shop_tables import Progress
from ingest.tagged_titles_file import with_tagged_titles
from snapshot.dataset import Dataset
from snapshot.partition_work import IN_THIS_PROCESS, PartitionWork
from snapshot.tombstones import NO_TOMBSTONES, Tombstones


def _silent(stage: str, share: float) -> None:
    """Report nothing."""


def ingest_folder(
    folder: Path,
    workspace: Path,
    settings: IngestSettings,
    seed: int,
    progress: Progress = _silent,
    created_at: datetime | None = None,
    tombstones: Tombstones = NO_TOMBSTONES,
    work: PartitionWork = IN_THIS_PROCESS,
) -> Dataset:
    """Read a shop's folder, clean it, and seal and publish it as a data set of the workspace.

    Args:
        folder: the shop's files, in any layout of `importers/registry.py`.
        workspace: folder that gains `datasets/<id>`.
        settings: the ingest section of the configuration.
        seed: of cleaning rules that draw.
        progress: called with the stage and the part that is done, 0…1.
        created_at: date of the data set, with a time zone; the present where None. Events more than a day
            later are impossible and removed.
        tombstones: shoppers that were deleted, whose rows are left out.
        work: where files are read and events cleaned that can be in parts.

    Raises:
        IngestError: the files fit no layout, cannot be read or hold nothing usable, or the importer's tables
            are not as `ShopTables` describes them.
        ItemIdClash: two item ids share a key.
    """
    now = created_at or datetime.now(UTC)
    layout = detect_layout(folder)
    progress(f"reading {folder} ({layout})", 0.0)
    importer = IMPORTERS[layout]
    if importer.read_in_parts is None:
        tables = importer.read(folder, now)
    else:
        tables = importer.read_in_parts(folder, now, work)
    check_handed_over(tables, layout)
    tables = with_tagged_titles(tables, folder)
    return write_dataset(tables, workspace, settings, seed, progress, now, tombstones, work)


def ingest_sample(
    workspace: Path,
    settings: IngestSettings,
    seed: int,
    progress: Progress = _silent,
    created_at: datetime | None = None,
    tombstones: Tombstones = NO_TOMBSTONES,
) -> Dataset:
    """Do with the sample data what `ingest_folder` does with a folder; same arguments and errors."""
    now = created_at or datetime.now(UTC)
    progress("reading the sample", 0.0)
    tables = sample.read(sample.sample_folder(), now)
    return write_dataset(tables, workspace, settings, seed, progress, now, tombstones)
