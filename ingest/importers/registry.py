"""All importers by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ingest.importers import amazon_beauty, generic, retailrocket, taobao
from ingest.shop_tables import IngestError, ShopTables
from registration.registry import Registry
from snapshot.partition_work import PartitionWork


@dataclass(frozen=True)
class Importer:
    """One log format.

    Attributes:
        matches: whether a folder has this format's files.
        read: the folder's tables; the moment given bounds possible event times.
        layout: the files it looks for, for people.
    """

    matches: Callable[[Path], bool]
    read: Callable[[Path, datetime], ShopTables]
    layout: str
    read_in_parts: Callable[[Path, datetime, PartitionWork], ShopTables] | None = None
    """`read`, where files may be read on many machines; None where there is but one way."""


IMPORTERS: Registry[Importer] = Registry(
    "log format",
    "IMPORTERS",
    {
        "taobao": Importer(taobao.matches, taobao.read, "UserBehavior.csv"),
        "retailrocket": Importer(
            retailrocket.matches,
            retailrocket.read,
            "events.csv, item_properties_part1.csv, item_properties_part2.csv and category_tree.csv",
        ),
        "amazon_beauty": Importer(
            amazon_beauty.matches,
            amazon_beauty.read,
            "beauty_sequences.parquet and beauty_item_attributes.parquet",
        ),
        "generic": Importer(
            generic.matches,
            generic.read,
            "events.csv, events.parquet or a folder events of Parquet files, or mapping.yaml that names the "
            "files",
            generic.read,
        ),
    },
    kind=Importer,
)
"""Importers in the order they are tried: the more particular layout first."""


def detect_layout(folder: Path) -> str:
    """Name of the importer that fits a folder's files.

    A `mapping.yaml` always means "generic": it was written to be used.

    Raises:
        IngestError: the folder is absent or fits no importer; the message says what each looks for.
    """
    if not folder.is_dir():
        raise IngestError(f"{folder}: is no folder; name the folder with the shop's files")
    if generic.has_mapping(folder):
        return "generic"
    for name, importer in IMPORTERS.items():
        if importer.matches(folder):
            return name
    layouts = "; ".join(f"{name}: {importer.layout}" for name, importer in IMPORTERS.items())
    raise IngestError(f"{folder}: its files fit no known layout; bring one of these: {layouts}")
