"""A log of several Parquet files: each file read by itself, in this process or on many machines.

What one file is enough for is done with the file: types, times, numbers, ids. What only the whole log shows
is decided over all of them afterwards, as for a log of one file. A column whose meaning one file would show
and another would not (texts that may be times or numbers) is refused: a log that large should have types.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from ingest.duplicate_rows import without_repeated_keys
from ingest.event_times import ORDERS
from ingest.findings import Findings
from ingest.importers.generic_columns import with_our_names
from ingest.importers.generic_events import KNOWN, parse_events, usable_ids_and_quantities
from ingest.mapping import MAPPING_NAME, EventsMapping, Mapping
from ingest.shop_tables import IngestError
from ingest.table_files import UnreadableFile, read_table
from ingest.timestamps import number_unit
from snapshot.partition_work import Columns, PartitionWork, Range

FOLDERS = ("events", "events.parquet")
"""Names of a folder of Parquet files, in the place of one file of events."""
_NUMBERS = ("position", "quantity", "price", "line_total")
_SEEDS = (0x5EED, 0xFEED)


def event_parts(folder: Path) -> tuple[Path, ...]:
    """The Parquet files of a folder of events by name, without those whose names begin with `.` or `_`."""
    return tuple(path for path in sorted(folder.glob("*.parquet")) if not path.name.startswith((".", "_")))


def part_columns(folder: Path) -> list[str]:
    """Names of the columns of a folder's first file; none where it has no file.

    Raises:
        UnreadableFile: the file is broken.
    """
    return [name for part in event_parts(folder)[:1] for name in _schema(part)]


@dataclass(frozen=True)
class PartsOrder:
    """What files are read, and how; equal where it would give equal results."""

    parts: tuple[Path, ...]
    sizes: tuple[tuple[int, int], ...]
    """Bytes and time of the last change (ns) of each file."""
    mapping: Mapping
    now: datetime


class _Facts(msgspec.Struct, frozen=True):
    """What was found in one file besides its rows."""

    rows: int
    read: int
    unit: str
    removed: dict[str, int]
    changed: dict[str, int]
    examples: dict[str, str]
    alarms: list[str]


@dataclass(frozen=True)
class ParsedParts:
    """The rows of all files, one file after the other."""

    events: pl.DataFrame
    """As `parse_events` returns them."""
    keep: pl.Series
    """bool: the row is no repetition of an earlier one, its ids and quantity can be used."""
    read: int
    """Rows of the files."""


def parse_parts(
    folder: Path, mapping: Mapping, now: datetime, findings: Findings, work: PartitionWork
) -> ParsedParts:
    """Reads a folder of events files.

    Args:
        folder: holds at least one Parquet file; all have the same columns and types.
        mapping: of the shop.
        now: as of `parse_events`.
        findings: gains what was found in the files.
        work: where files are read.

    Raises:
        IngestError: there is no file, files differ in their columns, or a column has no type; what is wrong
            in a file is raised by what reads it, and names the file.
    """
    parts = event_parts(folder)
    if not parts:
        raise IngestError(f"{folder}: has no file *.parquet")
    _check_columns(parts, mapping.events)
    sizes = tuple((part.stat().st_size, part.stat().st_mtime_ns) for part in parts)
    order = PartsOrder(tuple(part.absolute() for part in parts), sizes, mapping, now)
    load = np.array([0, *(size for size, _ in sizes)])
    results = work.over_ranges("events", parsed_files, load, order, {})
    facts = [fact for result in results for fact in _facts_of(result)]
    _check_units(parts, facts)
    for part, fact in zip(parts, facts, strict=True):
        _merge(fact, part, folder, findings)
    if len({tuple(result["probe"].tolist()) for result in results}) > 1:
        raise IngestError(
            f"{folder}: nodes with different processors compute different hashes of a row, so that repeated "
            "rows would be missed; ingest on nodes of one kind"
        )
    events = pl.concat([pl.read_ipc(io.BytesIO(result["events"].tobytes())) for result in results])
    keys = np.concatenate([result["keys"] for result in results])
    keyed = np.concatenate([result["keyed"] for result in results])
    distinct = without_repeated_keys(
        pl.DataFrame({"one": keys[:, 0], "other": keys[:, 1], "keyed": keyed}),
        events["ts_ms"],
        "event_id" in events.columns,
        folder.name,
        findings,
    )
    usable = pl.Series(np.concatenate([result["usable"] for result in results]))
    return ParsedParts(events, distinct & usable, sum(fact.read for fact in facts))


def parsed_files(files: Range, order: PartsOrder, columns: Columns) -> Columns:
    """Parses the files of a range (counted from 1), which may be one of many; see `parse_parts`.

    Returns:
        events: uint8, an Arrow IPC file of the rows; keys: uint64[n, 2], equal where rows repeat each other;
        keyed: bool[n], whether the row can be a repetition; usable: bool[n]; facts: uint8, JSON;
        probe: uint64[2], equal where keys can be compared.

    Raises:
        IngestError: a file cannot be read; named.
    """
    del columns
    parsed = [_parsed(part, order) for part in order.parts[files[0] - 1 : files[1] - 1]]
    buffer = io.BytesIO()
    pl.concat([part.events for part in parsed]).write_ipc(buffer)
    return {
        "events": np.frombuffer(buffer.getvalue(), np.uint8),
        "keys": np.concatenate([part.keys for part in parsed]),
        "keyed": np.concatenate([part.keyed for part in parsed]),
        "usable": np.concatenate([part.usable for part in parsed]),
        "facts": np.frombuffer(msgspec.json.encode([part.facts for part in parsed]), np.uint8),
        "probe": _keys(pl.DataFrame({"number": [1, 2**40], "text": ["a", "a longer text of a row"]})).ravel(),
    }


@dataclass(frozen=True)
class _ParsedFile:
    events: pl.DataFrame
    keys: NDArray[np.uint64]
    keyed: NDArray[np.bool_]
    usable: NDArray[np.bool_]
    facts: _Facts


def _parsed(part: Path, order: PartsOrder) -> _ParsedFile:
    section, findings = order.mapping.events, Findings()
    whole = read_table(part)
    raw, events = parse_events(whole, order.mapping, part, order.now, findings)
    usable = usable_ids_and_quantities(events, raw, section, part, findings)
    if "event_id" in events.columns:
        keys, keyed = _keys(events.select("event_id")), events["event_id"].is_not_null().to_numpy()
    else:
        keys, keyed = _keys(raw), np.ones(raw.height, np.bool_)
    facts = _Facts(
        raw.height,
        whole.height,
        _unit(raw, section, part),
        findings.removed,
        findings.changed,
        findings.examples,
        findings.alarms,
    )
    return _ParsedFile(events, keys, keyed, usable.to_numpy(), facts)


def _keys(rows: pl.DataFrame) -> NDArray[np.uint64]:
    """uint64[n, 2]: 128 bits by which rows are compared, so that two different ones do not meet."""
    return np.stack([rows.hash_rows(seed=seed).to_numpy() for seed in _SEEDS], axis=1)


def _unit(raw: pl.DataFrame, section: EventsMapping, part: Path) -> str:
    times = with_our_names(raw, section.columns, KNOWN, part)["timestamp"]
    if section.timestamp_unit != "auto" or section.timestamp_format or not times.dtype.is_numeric():
        return ""
    return number_unit(times) if (times.fill_null(0) != 0).any() else ""


def _facts_of(result: Columns) -> list[_Facts]:
    return msgspec.json.decode(result["facts"].tobytes(), type=list[_Facts])


def _check_columns(parts: Sequence[Path], section: EventsMapping) -> None:
    schemas = [_schema(part) for part in parts]
    first = schemas[0]
    for part, schema in zip(parts, schemas, strict=True):
        different = [name for name in {**first, **schema} if first.get(name) != schema.get(name)]
        if different or list(schema) != list(first):
            names = ", ".join(different) or "their order"
            raise IngestError(
                f"{part}: has other columns or types than {parts[0].name} ({names}); write all files alike"
            )
    empty = pl.DataFrame(schema=first)
    ours = with_our_names(empty, section.columns, KNOWN, parts[0]).schema
    textual = {name for name in ("timestamp", *_NUMBERS) if ours.get(name) == pl.String}
    if section.timestamp_format and section.timestamp_format not in ORDERS:
        textual.discard("timestamp")
    by_number = section.event_by_number
    if by_number is not None and first.get(by_number.column) == pl.String:
        textual.add(by_number.column)
    fractional = {name for name in ("user_id", "item_id") if name in ours and ours[name].is_float()}
    if textual or fractional:
        raise IngestError(
            f"{parts[0].parent}: {', '.join(sorted(textual | fractional))} must have a type in a log of "
            "several files (times and numbers as such, ids as integers or texts), or times a "
            f"timestamp_format in {MAPPING_NAME}; else bring one file"
        )


def _schema(part: Path) -> dict[str, pl.DataType]:
    try:
        return dict(pl.read_parquet_schema(part))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise UnreadableFile(part, None, None, "is no readable Parquet file; write it again") from error


def _check_units(parts: Sequence[Path], facts: Sequence[_Facts]) -> None:
    units = {fact.unit: part for part, fact in zip(parts, facts, strict=True) if fact.unit}
    if len(units) > 1:
        (one, first), (other, second) = list(units.items())[:2]
        raise IngestError(
            f"{second}: its times look like the unit {other!r}, those of {first.name} like {one!r}; say "
            f"which as events.timestamp_unit in {MAPPING_NAME}"
        )


def _merge(fact: _Facts, part: Path, folder: Path, findings: Findings) -> None:
    """Adds what was found in a file; counts are of the log, examples and alarms name the file."""

    def of_log(reason: str) -> str:
        prefix = f"{part.name}: "
        return f"{folder.name}: {reason.removeprefix(prefix)}" if reason.startswith(prefix) else reason

    counts: tuple[tuple[dict[str, int], dict[str, int]], ...] = (
        (fact.removed, findings.removed),
        (fact.changed, findings.changed),
    )
    for found, total in counts:
        for reason, count in found.items():
            total[of_log(reason)] = total.get(of_log(reason), 0) + count
    for reason, example in fact.examples.items():
        findings.examples.setdefault(of_log(reason), f"{part.name}, {example}")
    for alarm in fact.alarms:
        findings.alarm(alarm)
