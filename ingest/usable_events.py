"""Which event rows can be used, and why the others cannot."""

from __future__ import annotations

import re
from collections.abc import Mapping

import polars as pl

from ingest.findings import masked
from ingest.shop_tables import IngestError
from snapshot.event_codes import EVENT_CODES

IGNORED = "ignore"
_NAMED_UNKNOWN_EVENTS = 20
_SHOWN_UNKNOWN_EVENTS = 100
_EVENT_NAME = r"[\w .:/\-]{1,40}"
_MOST_DIGITS = 4


def id_column(values: pl.Series) -> pl.Series:
    """Bring an id column to str or int64: empty texts become null, whole floats (13085.0) integers."""
    if values.dtype.is_integer():
        return values.cast(pl.Int64) if values.dtype != pl.UInt64 else values.cast(pl.String)
    if values.dtype.is_float():
        whole = (values.fill_nan(None).drop_nulls() % 1 == 0).all()
        return values.fill_nan(None).cast(pl.Int64 if whole else pl.String)
    texts = values.cast(pl.String)
    return texts.set(texts == "", None)


def event_codes(names: pl.Series, mapping: Mapping[str, str]) -> pl.Series:
    """Event codes of a shop's event names.

    Args:
        names: str; case and surrounding blanks do not matter.
        mapping: shop's name (lower case) → name in `EVENT_CODES`, or "ignore".

    Returns:
        uint8: the code, 0 where the mapping says "ignore", null where it lacks the name.
    """
    codes = {name: EVENT_CODES.get(event, 0) for name, event in mapping.items()}
    return (
        names.str.strip_chars()
        .str.to_lowercase()
        .replace_strict(list(codes), list(codes.values()), default=None, return_dtype=pl.UInt8)
    )


def keep_usable(
    events: pl.DataFrame, names: Mapping[str, str], latest_ms: int, source: str
) -> tuple[pl.DataFrame, dict[str, int]]:
    """Keep the rows that name a user, an item, a known event and a possible time.

    A row is counted under its first fault. Purchases of zero or fewer pieces are returns or cancellations.

    Args:
        events: user_id, item_id (any type), event (str, the shop's names), ts_ms int64 (null = unreadable),
            optional quantity (numeric); further columns are kept.
        names: shop's event name (lower case) → name in `EVENT_CODES`, or "ignore".
        latest_ms: a time after this is impossible, unix milliseconds.
        source: file to name in errors.

    Returns:
        The usable rows, user_id and item_id as str or int64 and event as uint8; removed rows by reason.

    Raises:
        IngestError: not one row is usable; the message counts the faults and shows no row.
    """
    codes = event_codes(events["event"], names)
    checked = events.with_columns(
        id_column(events["user_id"]), id_column(events["item_id"]), codes.alias("code")
    )
    faults: dict[str, pl.Expr] = {
        "no user": pl.col("user_id").is_null(),
        "no item": pl.col("item_id").is_null(),
        "no event name": pl.col("event").is_null(),
        "unknown event": pl.col("code").is_null(),
        "event not used": pl.col("code") == 0,
        "no readable time": pl.col("ts_ms").is_null(),
        "time before 1970": pl.col("ts_ms") <= 0,
        "time in the future": pl.col("ts_ms") > latest_ms,
    }
    if "quantity" in events.columns:
        faults["returned or cancelled (quantity not above 0)"] = (
            pl.col("code") == EVENT_CODES["purchase"]
        ) & (pl.col("quantity") <= 0)
    reasons = list(faults)
    reason = pl.lit(None, dtype=pl.UInt8)
    for position in reversed(range(len(reasons))):
        fault = faults[reasons[position]].fill_null(False)
        reason = pl.when(fault).then(pl.lit(position, dtype=pl.UInt8)).otherwise(reason)
    reason_of_row = checked.select(reason.alias("reason")).to_series()
    faulty = reason_of_row.is_not_null()
    removed = {
        f"{source}: {reasons[position]}": count
        for position, count in reason_of_row.filter(faulty).value_counts().sort("reason").iter_rows()
    }
    removed |= _unknown_events_by_name(
        removed.pop(f"{source}: unknown event", 0),
        events["event"].filter(reason_of_row.eq_missing(reasons.index("unknown event"))),
        source,
    )
    if faulty.all():
        counts = ", ".join(
            f"{count:,} × {reason.removeprefix(f'{source}: ')}" for reason, count in removed.items()
        )
        raise IngestError(
            f"{source}: no row can be used ({counts or 'the file has no rows'}); name the columns and "
            "events in mapping.yaml"
        )
    usable = checked.filter(~faulty) if removed else checked
    return usable.with_columns(pl.col("code").alias("event")).drop("code"), removed


def _unknown_events_by_name(total: int, names: pl.Series, source: str) -> dict[str, int]:
    """Counts by unknown name; rare names beyond the first twenty are counted together.

    A column that is no event column may hold anything, so names that are long, many, or have signs and many
    digits are shown by their form.
    """
    if not total:
        return {}
    counts = names.value_counts(sort=True)
    many = counts.height > _SHOWN_UNKNOWN_EVENTS
    by_name: dict[str, int] = {}
    for name, count in counts.head(_NAMED_UNKNOWN_EVENTS).iter_rows():
        plain = not many and re.fullmatch(_EVENT_NAME, name) and sum(map(str.isdigit, name)) <= _MOST_DIGITS
        reason = f"{source}: unknown event {name if plain else masked(name)!r}"
        by_name[reason] = by_name.get(reason, 0) + count
    rest = total - sum(by_name.values())
    return by_name | ({f"{source}: other unknown events": rest} if rest else {})
