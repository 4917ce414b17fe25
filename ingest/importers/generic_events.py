"""The events file in our columns and types."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import polars as pl

from ingest.column_types import FROM_EVENTS, with_plain_types
from ingest.event_times import TimeColumn, read_event_times
from ingest.findings import Findings
from ingest.importers.generic_columns import (
    require,
    set_aside,
    with_attribute_sources,
    with_our_names,
)
from ingest.mapping import MAPPING_NAME, EventsMapping, Mapping
from ingest.numbers import read_numbers
from ingest.placeholders import without_placeholders
from ingest.shop_ids import stripped_ids, within_limit
from ingest.shop_tables import IngestError
from ingest.timestamps import EARLIEST_MS
from ingest.usable_events import event_codes
from snapshot.event_codes import EVENT_CODES
from snapshot.id_limit import MAX_ID_BYTES

KNOWN = (
    "user_id", "item_id", "event", "timestamp", "scene", "position", "query", "session_id", "quantity",
    "price",
    "line_total", "attribution_token", "event_id",
)  # fmt: skip
_REQUIRED = ("user_id", "item_id", "event", "timestamp")
_RESERVED = ("user", "item", "ts", "ts_ms", "code", "source_row")
_MOST = 0.5
BELOW_ALL = "below all of event_by_number"
"""The shop's name of an event whose number reaches no threshold."""
_MANY = 0.1


def excluded_rows(raw: pl.DataFrame, mapping: EventsMapping, path: Path, findings: Findings) -> pl.Series:
    """Find the rows whose values `events.exclude` names; bool per row, counted by column."""
    excluded = pl.repeat(False, raw.height, dtype=pl.Boolean, eager=True)
    for column, values in mapping.exclude.items():
        if column not in raw.columns:
            raise IngestError(f"{path}: has no column {column!r}; correct events.exclude in {MAPPING_NAME}")
        texts = raw[column].cast(pl.String).str.strip_chars()
        chosen = texts.is_in([value.strip() for value in values]).fill_null(False) & ~excluded
        findings.count(f"{path.name}: excluded by {column}", chosen)
        excluded = excluded | chosen
    return excluded


def parse_events(
    raw: pl.DataFrame, mapping: Mapping, path: Path, now: datetime, findings: Findings
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows that `events.exclude` leaves: as the file has them, and in our columns and types.

    Args:
        raw: as the file has it.
        mapping: of the shop.
        path: file to name.
        now: bounds possible times.
        findings: gains counts and alarms; `row_numbers` is set where rows are excluded.

    Returns:
        The rows, and the same rows as `events_as_ours` returns them, with the columns that attributes are
        taken from.
    """
    section = mapping.events
    excluded = excluded_rows(raw, section, path, findings)
    if excluded.any():
        findings.row_numbers = (~excluded).arg_true() + 2
        raw = raw.filter(~excluded)
    taken = {"item": mapping.items.from_events, "user": mapping.users.from_events}
    with_sources = with_attribute_sources(raw, section.columns, taken, path)
    return raw, events_as_ours(with_sources, section, path, now, findings)


def events_as_ours(
    raw: pl.DataFrame, mapping: EventsMapping, path: Path, now: datetime, findings: Findings
) -> pl.DataFrame:
    """Bring the events file to our names and types; what cannot be read is counted.

    Args:
        raw: the rows to use, as the file has them.
        mapping: the events section.
        path: file to name.
        now: bounds possible times.
        findings: gains counts and alarms.

    Returns:
        user_id, item_id str or int64, event str (the shop's names), ts_ms int64, optional numbers and
        texts of `ShopTables.events`, and further columns; as many rows as `raw`.

    Raises:
        IngestError: a column is missing, or times or quantities cannot be read.
    """
    events = with_our_names(raw, mapping.columns, KNOWN, path)
    if mapping.event is not None:
        events = set_aside(events, ["event"]).with_columns(pl.lit(mapping.event).alias("event"))
    elif mapping.event_by_number is not None:
        named = _events_by_number(raw, mapping, path)
        events = set_aside(events, ["event"]).with_columns(named.alias("event"))
    require(events, _REQUIRED, raw, path, "events")
    sources = [name for name in events.columns if name.startswith(FROM_EVENTS)]
    events = with_plain_types(set_aside(events, _RESERVED), [*KNOWN, *sources], path)
    column = TimeColumn(
        path.name,
        mapping.columns.get("timestamp", "timestamp"),
        "events",
        mapping.timestamp_unit,
        mapping.timestamp_format,
        findings.row,
    )
    times = read_event_times(events["timestamp"], column, now, findings).alias("ts_ms")
    ids = [stripped_ids(events[name], path.name, findings) for name in ("user_id", "item_id")]
    texts = [
        without_placeholders(events[name].cast(pl.String))
        for name in ("event", "scene", "session_id", "event_id")
        if name in events.columns
    ]
    numbers = [
        _number(events[name], mapping, path, findings)
        for name in ("position", "quantity", "price", "line_total")
        if name in events.columns
    ]
    return _with_piece_price(
        events.drop("timestamp").with_columns(times, *ids, *texts, *numbers), path, findings
    )


def usable_ids_and_quantities(
    events: pl.DataFrame, raw: pl.DataFrame, mapping: EventsMapping, path: Path, findings: Findings
) -> pl.Series:
    """Keep a row, bool, unless an id is too long for the API or a purchase's quantity cannot be read.

    Args:
        events: from `events_as_ours`.
        raw: the same rows as the file has them.
        mapping: the events section.
        path: file to name.
        findings: gains the counts.
    """
    keep = pl.repeat(True, events.height, dtype=pl.Boolean, eager=True)
    for name in ("user_id", "item_id"):
        fits = within_limit(events[name])
        findings.count(
            f"{path.name}: {name} is longer than the {MAX_ID_BYTES} bytes the API takes", ~fits & keep
        )
        keep = keep & fits
    if "quantity" in events.columns:
        source = without_placeholders(raw[mapping.columns.get("quantity") or _own_name(raw, "quantity")])
        bought = event_codes(events["event"], mapping.all_event_names) == EVENT_CODES["purchase"]
        lost = bought.fill_null(False) & events["quantity"].is_null() & source.is_not_null() & keep
        findings.count(f"{path.name}: quantity of a purchase cannot be read (rows left out)", lost)
        keep = keep & ~lost
    return keep


def within_period(
    events: pl.DataFrame, mapping: EventsMapping, path: Path, findings: Findings
) -> pl.DataFrame:
    """Leave out events outside `not_before` … `not_after` and before 1990, counted.

    Raises:
        IngestError: nothing is left; the message names the bound.
    """
    ts = events["ts_ms"]
    bounds = [(ts < EARLIEST_MS, "before 1990, so the time is wrong", "1990")]
    if mapping.not_before is not None:
        early = ts < int(mapping.not_before.timestamp() * 1_000)
        bounds.append((early, "excluded by not_before", f"not_before {mapping.not_before:%Y-%m-%d %H:%M}"))
    if mapping.not_after is not None:
        late = ts > int(mapping.not_after.timestamp() * 1_000)
        bounds.append((late, "excluded by not_after", f"not_after {mapping.not_after:%Y-%m-%d %H:%M}"))
    keep = pl.repeat(True, events.height, dtype=pl.Boolean, eager=True)
    for outside, reason, bound in bounds:
        if outside.all() and events.height:
            side = "after" if "not_after" in bound else "before"
            raise IngestError(
                f"{path}: all {events.height:,} rows are {side} {bound}; correct it in {MAPPING_NAME} or "
                "bring other events"
            )
        findings.count(f"{path.name}: {reason}", outside & keep)
        keep = keep & ~outside
    if events.height and not keep.any():
        raise IngestError(
            f"{path}: no row lies within not_before and not_after; correct them in {MAPPING_NAME}"
        )
    return events if keep.all() else events.filter(keep)


def _own_name(raw: pl.DataFrame, name: str) -> str:
    return name if name in raw.columns else next(column for column in raw.columns if column.lower() == name)


def _events_by_number(raw: pl.DataFrame, mapping: EventsMapping, path: Path) -> pl.Series:
    chosen = mapping.event_by_number
    assert chosen is not None
    if chosen.column not in raw.columns:
        raise IngestError(
            f"{path}: has no column {chosen.column!r}; correct events.event_by_number in {MAPPING_NAME}"
        )
    numbers, _ = read_numbers(raw[chosen.column], path.name, mapping.decimal)
    table = pl.DataFrame({"number": numbers})
    expression: pl.Expr = pl.when(pl.col("number").is_not_null()).then(pl.lit(BELOW_ALL))
    for event, least in sorted(chosen.at_least.items(), key=lambda pair: pair[1]):
        expression = pl.when(pl.col("number") >= least).then(pl.lit(event)).otherwise(expression)
    return table.select(expression.alias("event")).to_series()


def _number(values: pl.Series, mapping: EventsMapping, path: Path, findings: Findings) -> pl.Series:
    numbers, unread = read_numbers(values, path.name, mapping.decimal)
    name = values.name
    if name == "position":
        whole = (numbers % 1 == 0) & numbers.is_between(-(2**31), 2**31 - 1)
        unread = unread | (numbers.is_not_null() & ~whole.fill_null(False))
        numbers = numbers.set(unread, None).cast(pl.Int32)
    reason = f"{path.name}: {name} cannot be read (counts as unknown)"
    lost = findings.count(reason, unread, values)
    present = int(without_placeholders(values).is_not_null().sum())
    if name == "quantity" and lost > _MOST * present:
        raise IngestError(
            f"{path}: {lost:,} of {present:,} values of quantity cannot be read "
            f"({findings.examples[reason]}), so "
            "purchases and returns cannot be told apart; set events.decimal in mapping.yaml, or leave the "
            "column out"
        )
    if lost > _MANY * present:
        findings.alarm(
            f"{path.name}: {lost:,} of {present:,} values of {name} cannot be read "
            f"({findings.examples[reason]}); "
            "if the decimal mark is in question, set events.decimal in mapping.yaml"
        )
    return numbers


def _with_piece_price(events: pl.DataFrame, path: Path, findings: Findings) -> pl.DataFrame:
    """The price of one piece from a line's total, where there is no price."""
    if "line_total" not in events.columns or "price" in events.columns:
        return events
    if "quantity" not in events.columns:
        raise IngestError(
            f"{path}: has line_total but no quantity to divide it by; map quantity, or map the column as "
            f"price if it is the price of one piece, in {MAPPING_NAME}"
        )
    # A return has a negative total and quantity.
    return events.with_columns(
        pl.when(pl.col("quantity") != 0).then(pl.col("line_total") / pl.col("quantity")).alias("price")
    )
