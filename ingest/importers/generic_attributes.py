"""The items and users files, completed by columns of the events file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from features.profile import PROFILE_FIELDS
from ingest.attributes import item_attributes, user_profiles
from ingest.column_types import FROM_EVENTS, with_plain_types
from ingest.event_times import ORDERS
from ingest.findings import Findings
from ingest.importers.generic_columns import likely_meant, require, set_aside, with_our_names
from ingest.mapping import MAPPING_NAME, AttributesMapping, ItemsMapping
from ingest.numbers import read_numbers
from ingest.placeholders import without_placeholders
from ingest.shop_ids import stripped_ids, within_limit
from ingest.shop_tables import IngestError
from ingest.stock_words import read_stock
from ingest.time_texts import read_time_texts
from ingest.timestamps import EARLIEST_MS, to_unix_ms
from snapshot.id_limit import MAX_ID_BYTES
from snapshot.item_columns import ITEM_COLUMNS

KNOWN_USERS = ("user_id", *PROFILE_FIELDS)
_ALARM_SHARE = 0.1


def known_columns(kind: str) -> tuple[str, ...]:
    """Our names that a column of an items or users file may have by itself, registered item columns included.

    Args:
        kind: "item" or "user".
    """
    if kind == "user":
        return KNOWN_USERS
    return ("item_id", *(name for name, column in ITEM_COLUMNS.items() if column.from_items))


def file_as_ours(
    raw: pl.DataFrame, kind: str, mapping: AttributesMapping, path: Path, findings: Findings
) -> pl.DataFrame:
    """An items or users file under our names, its ids in one form and short enough for the API.

    Args:
        raw: as the file has it.
        kind: "item" or "user".
        mapping: its section.
        path: file to name.
        findings: gains the counts.
    """
    key = f"{kind}_id"
    known = known_columns(kind)
    table = with_our_names(raw, mapping.columns, known, path)
    require(table, [key], raw, path, f"{kind}s")
    _alarm_on_unread(table, kind, mapping, path, findings)
    own = ["item"] if kind == "item" else ["user", *(f"{field}_code" for field in PROFILE_FIELDS)]
    table = with_plain_types(set_aside(table, own), known, path)
    table = table.with_columns(stripped_ids(table[key], path.name, findings))
    fits = within_limit(table[key])
    findings.count(f"{path.name}: {key} is longer than the {MAX_ID_BYTES} bytes the API takes", ~fits)
    return table.filter(fits)


def _alarm_on_unread(
    table: pl.DataFrame, kind: str, mapping: AttributesMapping, path: Path, findings: Findings
) -> None:
    """What is absent switches off what needs it, which a column of a similar name shows to be a mistake."""
    known = known_columns(kind)
    absent = [name for name in known if name not in table.columns and name not in mapping.from_events]
    unread = [name for name in table.columns if name not in known]
    for ours, theirs in likely_meant(unread, absent).items():
        findings.alarm(
            f"{path.name}: nothing reads its column {theirs!r}, and no column is {ours}; if that is what it "
            f"says, write {kind}s: {{columns: {{{ours}: {theirs!r}}}}} into {MAPPING_NAME}"
        )


def attributes(
    kind: str,
    table: pl.DataFrame | None,
    source: str,
    mapping: AttributesMapping,
    events: pl.DataFrame,
    findings: Findings,
) -> pl.DataFrame | None:
    """Typed attributes of items or users, from their file and from events.

    Args:
        kind: "item" or "user".
        table: from `file_as_ours`, None where there is no file.
        source: what to call the table in counts.
        mapping: its section.
        events: usable events with the columns of `with_attribute_sources`.
        findings: gains counts and alarms.

    Returns:
        A table for `ShopTables.items` or `.users`; None where nothing describes them.
    """
    key = f"{kind}_id"
    if mapping.from_events:
        commonest = _commonest(events, kind, mapping.from_events)
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
        return None
    texts = KNOWN_USERS[1:] if kind == "user" else _items_columns("group", "text")
    table = table.with_columns(without_placeholders(table[name]) for name in texts if name in table.columns)
    if isinstance(mapping, ItemsMapping):
        table = _item_values(table, source, mapping, findings)
        table, counts = item_attributes(table, source)
    else:
        table, counts = user_profiles(table, source)
    for reason, count in counts.items():
        findings.removed[reason] = findings.removed.get(reason, 0) + count
    return table


def _item_values(table: pl.DataFrame, source: str, mapping: ItemsMapping, findings: Findings) -> pl.DataFrame:
    """Numbers, times, stock and flags, typed; what cannot be read is counted and unknown."""
    read: list[pl.Series] = []
    for name in _items_columns("value"):
        # Integers may be larger than a float holds exactly; `item_attributes` reads them as they are.
        if name in table.columns and ITEM_COLUMNS[name].dtype.kind == "f":
            numbers, unread = read_numbers(table[name], source, mapping.decimal)
            advice = "; if the decimal mark is in question, set items.decimal"
            _count(table[name], unread, source, findings, advice)
            read.append(numbers)
    if "in_stock" in table.columns:
        stock, unread = read_stock(table["in_stock"], source, mapping.stock_words)
        lost = _count(
            table["in_stock"], unread, source, findings, "; say what they mean under items.stock_words"
        )
        if lost and stock.null_count() == len(stock):
            raise IngestError(
                f"{source}: not one value of in_stock can be read "
                f"({findings.examples[f'{source}: in_stock cannot be read (counts as unknown)']}), so "
                "nothing could be sold; use yes and no, counts, or words such as in stock and out of "
                "stock, or say what "
                "the words mean under items.stock_words in mapping.yaml"
            )
        read.append(stock)
    read += [
        without_placeholders(table[name])
        for name in _items_columns("flag")
        if name in table.columns and name != "in_stock"
    ]
    for name in _items_columns("time"):
        if name in table.columns:
            times, unread = _times(table[name], mapping)
            _count(table[name], unread, source, findings, "; give items.timestamp_format")
            read.append(times.cast(pl.Datetime("ms")))
    return table.with_columns(read)


def _items_columns(*kinds: str) -> tuple[str, ...]:
    """Names of the registered columns of these kinds that an items file may have."""
    return tuple(name for name, column in ITEM_COLUMNS.items() if column.from_items and column.kind in kinds)


def _times(values: pl.Series, mapping: ItemsMapping) -> tuple[pl.Series, pl.Series]:
    given = without_placeholders(values)
    form = mapping.timestamp_format
    if given.dtype != pl.String or form is None:
        times = to_unix_ms(given)
    elif form in ORDERS:
        times, _ = read_time_texts(given, ORDERS[form])
    else:
        try:
            times = given.str.to_datetime(form, time_unit="ms", strict=False).to_physical().cast(pl.Int64)
        except pl.exceptions.PolarsError as error:
            raise IngestError(
                f"items.timestamp_format {form!r} is no complete format of a date and time; an example is "
                '"%d-%m-%Y %H:%M"'
            ) from error
    times = times.set((times < EARLIEST_MS).fill_null(False), None)
    return times.rename(values.name), given.is_not_null() & times.is_null()


def _count(values: pl.Series, unread: pl.Series, source: str, findings: Findings, advice: str) -> int:
    reason = f"{source}: {values.name} cannot be read (counts as unknown)"
    lost = findings.count(reason, unread, values)
    if lost > _ALARM_SHARE * max(int(without_placeholders(values).is_not_null().sum()), 1):
        findings.alarm(
            f"{source}: {lost:,} values of {values.name} cannot be read "
            f"({findings.examples[reason]}){advice} in "
            "mapping.yaml"
        )
    return lost


def _commonest(events: pl.DataFrame, kind: str, columns: Mapping[str, str]) -> pl.DataFrame:
    """The commonest value of each column per id, the latest of them where several are equally common."""
    key = f"{kind}_id"
    table = events.select(pl.col(key).unique())
    for ours in columns:
        # NULL written as a word must not be the commonest title.
        given = without_placeholders(events[f"{FROM_EVENTS}{kind}.{ours}"]).rename(ours)
        values = (
            events.lazy()
            .select(key, given, "ts_ms")
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
