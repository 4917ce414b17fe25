"""Importer: events, items and users as CSV, Parquet or Excel, with an optional `mapping.yaml`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import polars as pl

from ingest.column_types import FROM_EVENTS
from ingest.duplicate_rows import without_duplicates
from ingest.findings import Findings
from ingest.id_overlap import alarm_on_small_overlap
from ingest.importers.described_in_events import with_items_of_events
from ingest.importers.generic_attributes import attributes, file_as_ours, known_columns
from ingest.importers.generic_categories import with_standard_categories
from ingest.importers.generic_columns import ALIASES
from ingest.importers.generic_events import (
    BELOW_ALL,
    KNOWN,
    parse_events,
    usable_ids_and_quantities,
    within_period,
)
from ingest.importers.generic_parts import FOLDERS, event_parts, parse_parts, part_columns
from ingest.importers.generic_venues import with_venues
from ingest.mapping import MAPPING_NAME, AttributesMapping, EventsMapping, Mapping, find_mapping, load_mapping
from ingest.shop_ids import without_fraction, written_as_floats
from ingest.shop_tables import IngestError, ShopTables
from ingest.table_files import TABLE_SUFFIXES, FileForm, read_table
from ingest.usable_events import IGNORED, keep_usable
from snapshot.partition_work import IN_THIS_PROCESS, PartitionWork

_DAY_MS = 86_400_000


def has_mapping(folder: Path) -> bool:
    """Whether the folder has a `mapping.yaml` or `mapping.yml`."""
    return find_mapping(folder) is not None


def matches(folder: Path) -> bool:
    """Whether the folder has a mapping or an events file of any kind."""
    return has_mapping(folder) or bool(_files(folder, "events"))


def read(folder: Path, now: datetime, work: PartitionWork = IN_THIS_PROCESS) -> ShopTables:
    """Read a shop's files.

    Args:
        folder: holds events.csv or events.parquet, or a folder `events` of Parquet files, and optionally
            items.*, users.*, categories.* and venues.*, or whatever files `mapping.yaml` names.
        now: events later than a day after this are impossible.
        work: where the files of a folder `events` are read.

    Raises:
        IngestError: `mapping.yaml` is wrong, a file or a required column is missing, a value can be read in
            two ways and nothing says which, or no row is usable.
        UnreadableFile: a file is broken; named with row and column.
    """
    mapping, findings = load_mapping(folder), Findings()
    path = _path(folder, mapping.events.file) or _find(folder, "events")
    if path is None:
        raise IngestError(
            f"{folder}: has no events file; bring events.csv or events.parquet, "
            f"or name the file in {MAPPING_NAME} under events.file"
        )
    described = (_path(folder, mapping.items.file) or _find(folder, "items")) is not None
    if path.is_dir():
        if not described:
            mapping = with_items_of_events(mapping, part_columns(path), path, findings)
        parsed = parse_parts(path, mapping, now, findings, work)
        rows_read = parsed.read
        _refuse_no_rows(parsed.events.height, rows_read, path)
        events = _usable(parsed.events, parsed.keep, rows_read, mapping, path, now, findings)
    else:
        raw = read_table(path, form=_form(mapping.events, KNOWN))
        rows_read = raw.height
        if not described:
            mapping = with_items_of_events(mapping, raw.columns, path, findings)
        events = _events(raw, mapping, path, now, findings)
    findings.row_numbers = None
    items, items_name = _file(folder, "item", mapping.items, findings)
    users, users_name = _file(folder, "user", mapping.users, findings)
    events, items = _without_fractions(events, items, "item_id", path.name, items_name, findings)
    events, users = _without_fractions(events, users, "user_id", path.name, users_name, findings)
    if items is not None:
        alarm_on_small_overlap(events["item_id"], items["item_id"], "items", items_name, findings)
    if users is not None:
        alarm_on_small_overlap(events["user_id"], users["user_id"], "users", users_name, findings, enough=0)
    items = attributes("item", items, items_name, mapping.items, events, findings)
    users = attributes("user", users, users_name, mapping.users, events, findings)
    categories = _find(folder, "categories")
    if categories is not None and items is not None:
        items = with_standard_categories(items, read_table(categories), categories, findings)
    venues = _find(folder, "venues")
    if venues is not None and items is not None:
        items = with_venues(items, read_table(venues), venues, findings)
    has_stock = items is not None and "in_stock" in items.columns and items["in_stock"].is_not_null().any()
    return ShopTables(
        source=mapping.source or str(path),
        events=events.drop(name for name in events.columns if name.startswith(FROM_EVENTS)),
        items=items,
        users=users,
        removed=findings.removed,
        changed=findings.changed,
        examples=findings.examples,
        alarms=findings.alarms,
        rows_read=rows_read,
        unknown_stock_sells=not has_stock,
    )


def _events(
    raw: pl.DataFrame, mapping: Mapping, path: Path, now: datetime, findings: Findings
) -> pl.DataFrame:
    """Usable events, with the columns that attributes are taken from."""
    section = mapping.events
    rows_read = raw.height
    raw, events = parse_events(raw, mapping, path, now, findings)
    _refuse_no_rows(raw.height, rows_read, path)
    keep = without_duplicates(
        raw,
        events["ts_ms"],
        events["event_id"] if "event_id" in events.columns else None,
        path.name,
        findings,
    )
    keep = keep & usable_ids_and_quantities(events, raw, section, path, findings)
    return _usable(events, keep, rows_read, mapping, path, now, findings)


def _refuse_no_rows(rows: int, rows_read: int, path: Path) -> None:
    if not rows:
        raise IngestError(
            f"{path}: no row is left after events.exclude" if rows_read else f"{path}: has no rows"
        )


def _usable(
    events: pl.DataFrame,
    keep: pl.Series,
    rows_read: int,
    mapping: Mapping,
    path: Path,
    now: datetime,
    findings: Findings,
) -> pl.DataFrame:
    """What of parsed events can be used, of the rows to `keep`."""
    section, rows = mapping.events, events.height
    if not keep.any():
        counts = ", ".join(
            f"{count:,} × {reason.removeprefix(f'{path.name}: ')}"
            for reason, count in findings.removed.items()
        )
        raise IngestError(f"{path}: no row can be used ({counts})")
    if not keep.all():
        events = events.filter(keep)
    names = {**section.all_event_names, BELOW_ALL: IGNORED}
    events, removed = keep_usable(events, names, int(now.timestamp() * 1_000) + _DAY_MS, path.name)
    _alarm_on_unknown_events(removed, rows, path, findings)
    findings.removed |= removed
    events = within_period(events, section, path, findings)
    used = {*mapping.items.from_events.values(), *mapping.users.from_events.values()}
    used -= {*section.columns.values(), *KNOWN} - {"query", "scene"}
    return events.drop(name for name in used if name in events.columns)


def _alarm_on_unknown_events(removed: dict[str, int], rows: int, path: Path, findings: Findings) -> None:
    unknown = sum(count for reason, count in removed.items() if "unknown event" in reason)
    if unknown * 10 > rows:
        findings.alarm(
            f"{path.name}: {unknown:,} of {rows:,} rows have an event name that is not known; say what "
            f"each means (or ignore) under events.event_names in {MAPPING_NAME}"
        )


def _file(
    folder: Path, kind: str, mapping: AttributesMapping, findings: Findings
) -> tuple[pl.DataFrame | None, str]:
    path = _path(folder, mapping.file) or _find(folder, f"{kind}s")
    if path is None:
        return None, f"{kind}s"
    raw = read_table(path, form=_form(mapping, known_columns(kind)))
    return file_as_ours(raw, kind, mapping, path, findings), path.name


def _without_fractions(
    events: pl.DataFrame,
    table: pl.DataFrame | None,
    key: str,
    events_name: str,
    table_name: str,
    findings: Findings,
) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """Write 201.0 as 201 in both files, where it can mean nothing else."""
    if not written_as_floats([events[key], None if table is None else table[key]]):
        return events, table
    events = events.with_columns(without_fraction(events[key], events_name, findings))
    if table is not None:
        table = table.with_columns(without_fraction(table[key], table_name, findings))
    return events, table


def _form(mapping: EventsMapping | AttributesMapping, known: tuple[str, ...]) -> FileForm:
    aliases = [alias for name in known for alias in ALIASES.get(name, ())]
    expected = {*known, *aliases, *mapping.columns.values()}
    return FileForm(mapping.separator, mapping.encoding, mapping.sheet, expected)


def _path(folder: Path, file: str | None) -> Path | None:
    return folder / file if file is not None else None


def _files(folder: Path, stem: str) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if (path.is_file() and path.name.lower().startswith(f"{stem}."))
        or (stem == "events" and path.is_dir() and path.name in FOLDERS and event_parts(path))
    )


def _find(folder: Path, stem: str) -> Path | None:
    """The file of a stem, of a known ending where there is one.

    Raises:
        IngestError: several files may be meant.
    """
    files = _files(folder, stem)
    readable = [path for path in files if path.is_dir() or path.name.lower()[len(stem) :] in TABLE_SUFFIXES]
    if len(readable) > 1:
        raise IngestError(
            f"{folder}: has {' and '.join(path.name for path in readable)}; remove all but one, or name "
            f"one in {MAPPING_NAME} under {stem}.file"
        )
    # Another ending is better refused by what the file is than as absent.
    return next(iter(readable or files), None)
