"""All importers by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ingest.importers import amazon_beauty, generic, retailrocket, taobao
from ingest.mapping import MAPPING_NAME
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
    raise IngestError(
        f"{folder}: {_contained(folder)}; write a {MAPPING_NAME} into it that says what your files and "
        "columns are (events: {file: …, columns: {user_id: …}}; docs/manual/data.md), or bring one of "
        f"these: {layouts}"
    )


def _contained(folder: Path) -> str:
    """What a folder of no known layout has in it, for a message: ten names at most."""
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    if not names:
        return "is empty"
    shown = ", ".join(names[:10]) + (", …" if len(names) > 10 else "")
    stems = {name.partition(".")[0].lower() for name in names}
    if stems & {"items", "users"} and "events" not in stems:
        return f"there are no events in it ({shown}), and the models learn from what shoppers did"
    return f"its files ({shown}) fit no known layout"
