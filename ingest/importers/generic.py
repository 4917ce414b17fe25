"""Importer: events, items and users as CSV or Parquet, with an optional `mapping.yaml`."""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from datetime import datetime
from pathlib import Path

import polars as pl

from ingest.attributes import item_attributes, user_profiles
from ingest.mapping import MAPPING_NAME, AttributesMapping, EventsMapping, load_mapping
from ingest.shop_tables import IngestError, ShopTables
from ingest.table_files import TABLE_SUFFIXES, read_table
from ingest.timestamps import to_unix_ms
from ingest.usable_events import keep_usable

_DAY_MS = 86_400_000
_ALIASES = {
    "timestamp": ("ts", "time"),
    "event": ("event_type", "behavior"),
    "standard_category": ("std_category",),
}
_RESERVED = ("user", "item", "ts", "ts_ms", "event", "code")


def has_mapping(folder: Path) -> bool:
    """Whether the folder has a `mapping.yaml`."""
    return (folder / MAPPING_NAME).is_file()


def matches(folder: Path) -> bool:
    """Whether the folder has a `mapping.yaml` or an events file."""
    return has_mapping(folder) or _find(folder, "events") is not None


def read(folder: Path, now: datetime) -> ShopTables:
    """Read a shop's files.

    Args:
        folder: holds events.csv or events.parquet, and optionally items.* and users.*, or whatever files
            `mapping.yaml` names.
        now: events later than a day after this are impossible.

    Raises:
        IngestError: `mapping.yaml` is wrong, a file or a required column is missing, or no row is usable.
        UnreadableFile: a file is broken; named with row and column.
    """
    mapping = load_mapping(folder)
    path = _path(folder, mapping.events.file) or _find(folder, "events")
    if path is None:
        raise IngestError(
            f"{folder}: has no events file; bring events.csv or events.parquet, "
            f"or name the file in {MAPPING_NAME} under events.file"
        )
    raw = read_table(path)
    excluded, raw = _excluded(raw, mapping.events, path)
    events = _events_as_ours(raw, mapping.events, path)
    events, removed = keep_usable(
        events, mapping.events.all_event_names, int(now.timestamp() * 1_000) + _DAY_MS, path.name
    )
    events, misdated = _within_period(events, mapping.events, path)
    taken = {*mapping.items.from_events.values(), *mapping.users.from_events.values()}
    items, item_faults = _attributes(folder, "item", mapping.items, events)
    users, user_faults = _attributes(folder, "user", mapping.users, events)
    return ShopTables(
        source=mapping.source or str(path),
        events=events.drop(taken & set(events.columns) - {"price", "quantity"}),
        items=items,
        users=users,
        removed=excluded | removed | misdated | item_faults | user_faults,
    )


def _path(folder: Path, file: str | None) -> Path | None:
    return folder / file if file is not None else None


def _find(folder: Path, stem: str) -> Path | None:
    return next((path for suffix in TABLE_SUFFIXES if (path := folder / f"{stem}{suffix}").is_file()), None)


def _renamed(table: pl.DataFrame, columns: MappingType[str, str], path: Path) -> pl.DataFrame:
    """Give mapped and aliased columns our names; an unmapped column with such a name steps aside."""
    for ours, theirs in columns.items():
        if theirs not in table.columns:
            raise IngestError(
                f"{path}: has no column {theirs!r} for {ours!r}; it has {', '.join(table.columns)}; "
                f"correct {MAPPING_NAME}"
            )
    names = {theirs: ours for ours, theirs in columns.items()}
    for ours, aliases in _ALIASES.items():
        if ours not in table.columns and ours not in columns:
            alias = next((name for name in aliases if name in table.columns and name not in names), None)
            names |= {alias: ours} if alias else {}
    aside = {name: f"source_{name}" for name in set(names.values()) & set(table.columns) - set(names)}
    return table.rename(aside | names)


def _excluded(raw: pl.DataFrame, mapping: EventsMapping, path: Path) -> tuple[dict[str, int], pl.DataFrame]:
    removed = {}
    for column, values in mapping.exclude.items():
        if column not in raw.columns:
            raise IngestError(f"{path}: has no column {column!r}; correct events.exclude in {MAPPING_NAME}")
        keep = ~raw[column].cast(pl.String).is_in(values).fill_null(False)
        if not keep.all():
            removed[f"{path.name}: excluded by {column}"] = int((~keep).sum())
            raw = raw.filter(keep)
    return removed, raw


def _events_as_ours(raw: pl.DataFrame, mapping: EventsMapping, path: Path) -> pl.DataFrame:
    events = _renamed(raw, mapping.columns, path)
    if mapping.event is not None:
        events = events.with_columns(pl.lit(mapping.event).alias("event"))
    for name in ("user_id", "item_id", "event", "timestamp"):
        if name not in events.columns:
            raise IngestError(
                f"{path}: has no column {name!r}; it has {', '.join(raw.columns)}; "
                f"say which one it is in {MAPPING_NAME} under events.columns"
            )
    reserved = {name: f"source_{name}" for name in _RESERVED if name in events.columns and name != "event"}
    events = events.rename(reserved)
    times = to_unix_ms(events["timestamp"], mapping.timestamp_unit).alias("ts_ms")
    numbers = {"position": pl.Int32, "quantity": pl.Float64, "price": pl.Float64}
    texts = ("scene", "session_id")
    return (
        events.with_columns(times)
        .drop("timestamp")
        .with_columns(
            pl.col("event").cast(pl.String),
            *(
                pl.col(name).cast(dtype, strict=False)
                for name, dtype in numbers.items()
                if name in events.columns
            ),
            *(pl.col(name).cast(pl.String) for name in texts if name in events.columns),
        )
    )


def _within_period(
    events: pl.DataFrame, mapping: EventsMapping, path: Path
) -> tuple[pl.DataFrame, dict[str, int]]:
    removed = {}
    for name, moment, keep in (
        ("not_before", mapping.not_before, pl.Expr.__ge__),
        ("not_after", mapping.not_after, pl.Expr.__le__),
    ):
        if moment is None:
            continue
        within = events.filter(keep(pl.col("ts_ms"), int(moment.timestamp() * 1_000)))
        if within.height < events.height:
            removed[f"{path.name}: excluded by {name}"] = events.height - within.height
            events = within
    return events, removed


def _attributes(
    folder: Path, kind: str, mapping: AttributesMapping, events: pl.DataFrame
) -> tuple[pl.DataFrame | None, dict[str, int]]:
    """Attributes of items or users from their file, completed by columns of the events file."""
    key = f"{kind}_id"
    path = _path(folder, mapping.file) or _find(folder, f"{kind}s")
    table, source = None, f"{kind}s"
    if path is not None:
        table, source = _renamed(read_table(path), mapping.columns, path), path.name
        if key not in table.columns:
            raise IngestError(
                f"{path}: has no column {key!r}; it has {', '.join(table.columns)}; "
                f"say which one it is in {MAPPING_NAME} under {kind}s.columns"
            )
    if mapping.from_events:
        commonest = _commonest(events, key, mapping.from_events)
        if table is None:
            table = commonest
        else:
            table = table.with_columns(pl.col(key).cast(pl.String)).join(
                commonest.drop(set(commonest.columns) & set(table.columns) - {key}),
                on=key,
                how="full",
                coalesce=True,
            )
    if table is None:
        return None, {}
    return (item_attributes if kind == "item" else user_profiles)(table, source)


def _commonest(events: pl.DataFrame, key: str, columns: MappingType[str, str]) -> pl.DataFrame:
    """The commonest value of each column per id, the latest of them where several are equally common."""
    table = events.select(pl.col(key).unique())
    for ours, theirs in columns.items():
        if theirs not in events.columns:
            raise IngestError(
                f"the events file has no column {theirs!r} for {ours!r}; it has {', '.join(events.columns)}; "
                f"correct from_events in {MAPPING_NAME}"
            )
        values = (
            events.lazy()
            .select(key, pl.col(theirs).alias(ours), "ts_ms")
            .drop_nulls(ours)
            .group_by(key, ours)
            .agg(pl.len(), pl.col("ts_ms").max())
            .sort(key, "len", "ts_ms", ours)
            .group_by(key, maintain_order=True)
            .agg(pl.col(ours).last())
            .collect()
        )
        table = table.join(values, on=key, how="left")
    return table.with_columns(pl.col(key).cast(pl.String)).sort(key)
