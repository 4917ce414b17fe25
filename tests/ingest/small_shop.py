"""A few rows of a made-up shop, written in whatever form a test needs."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ingest.importers import generic
from ingest.ingest_folder import ingest_folder
from ingest.settings import IngestSettings
from ingest.shop_tables import ShopTables
from snapshot import Dataset

NOW = datetime(2026, 1, 1, tzinfo=UTC)
START = 1_709_200_000
ROWS = 10


def moments() -> list[datetime]:
    """Ten moments in time order, five hours apart, from 2024-02-29 on."""
    return [datetime.fromtimestamp(START + 18_000 * row, UTC) for row in range(ROWS)]


def columns(**changed: Sequence[object]) -> dict[str, Sequence[object]]:
    """Ten purchases of three shoppers and four items by column; given columns replace or join them."""
    usual: dict[str, Sequence[object]] = {
        "user_id": [f"shopper{row % 3}" for row in range(ROWS)],
        "item_id": [f"thing{row % 4}" for row in range(ROWS)],
        "event": ["purchase"] * ROWS,
        "timestamp": [START + 18_000 * row for row in range(ROWS)],
    }
    return usual | changed


def csv_text(table: Mapping[str, Sequence[object]], separator: str = ",", end: str = "\n") -> str:
    """A table as CSV; texts are written as they are, quotes included."""
    rows = zip(*table.values(), strict=True)
    lines = [separator.join(table), *(separator.join(map(str, row)) for row in rows)]
    return end.join(lines) + end


def write(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write files into a folder, created if absent."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def read(folder: Path, files: Mapping[str, str | bytes]) -> ShopTables:
    """What the generic importer makes of files."""
    return generic.read(write(folder, files), NOW)


def read_events(folder: Path, mapping: str = "", **changed: Sequence[object]) -> ShopTables:
    """What the generic importer makes of `columns(**changed)` as events.csv, with a mapping."""
    return read(folder, {"events.csv": csv_text(columns(**changed)), "mapping.yaml": mapping})


def ingest(
    folder: Path, files: Mapping[str, str | bytes], settings: IngestSettings = IngestSettings()
) -> Dataset:
    """The sealed data set of files."""
    workspace = Path(tempfile.mkdtemp(dir=folder))
    return ingest_folder(write(folder / "shop", files), workspace, settings, 1, created_at=NOW)
