"""The columns of a shop's file under our names."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path

import polars as pl

from ingest.column_types import FROM_EVENTS
from ingest.mapping import MAPPING_NAME
from ingest.shop_tables import IngestError

ALIASES = {
    "timestamp": ("ts", "time"),
    "event": ("event_type", "behavior"),
    "standard_category": ("std_category",),
}
_WORD = re.compile(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+")
_SHORT = 2
# A column that must be there keeps its own name where the mapping gives it to another of these too.
_NEEDED = ("user_id", "item_id", "event", "timestamp")


def with_our_names(
    table: pl.DataFrame, columns: Mapping[str, str], known: Collection[str], path: Path
) -> pl.DataFrame:
    """Give mapped, aliased and differently capitalised columns our names.

    One column of the file may serve as several of these. An unmapped column that has one of these names,
    while the mapping gives the name to another, is kept as `source_<name>`.

    Args:
        table: as the file has it.
        columns: our name → the file's.
        known: our names that a column may have by itself.
        path: file to name in errors.

    Raises:
        IngestError: a mapped column is absent.
    """
    for ours, theirs in columns.items():
        if theirs not in table.columns:
            raise IngestError(
                f"{path}: has no column {theirs!r} for {ours!r}; it has {', '.join(_named(table))}; "
                f"correct {MAPPING_NAME}"
            )
    sources = dict(columns)
    used = set(columns.values())
    for ours in known:
        if ours in sources or ours in table.columns:
            if ours in used and ours in _NEEDED:
                sources.setdefault(ours, ours)
            continue
        alias = next(
            (name for name in ALIASES.get(ours, ()) if name in table.columns and name not in used), None
        )
        alike = [name for name in table.columns if name.lower() == ours and name not in used]
        if alias is not None or len(alike) == 1:
            sources[ours] = alias if alias is not None else alike[0]
    named = set(sources.values())
    aside = free_names(set(sources) & set(table.columns) - named, table.columns)
    table = table.rename(aside)
    moved = {theirs: ours for ours, theirs in reversed(sources.items())}
    copies = {ours: moved[theirs] for ours, theirs in sources.items() if moved[theirs] != ours}
    # A column used under its own name and mapped to another of these names keeps both.
    table = table.rename(moved)
    return table.with_columns(pl.col(source).alias(ours) for ours, source in copies.items())


def likely_meant(unread: Collection[str], absent: Collection[str]) -> dict[str, str]:
    """Our names that a file lacks → the first of its unread columns whose name has all of their words.

    Words of one or two letters do not count: `stock` and `stock_status` may be `in_stock`, and so may
    `Product Title` be `title`.
    """
    words = {name: _words(name) for name in unread}
    found = {}
    for ours in absent:
        wanted = _words(ours)
        theirs = next((name for name, has in words.items() if wanted and wanted <= has), None)
        if theirs is not None:
            found[ours] = theirs
    return found


def _words(name: str) -> frozenset[str]:
    return frozenset(word.lower() for word in _WORD.findall(name) if len(word) > _SHORT)


def free_names(names: Collection[str], taken: Collection[str]) -> dict[str, str]:
    """`source_<name>` for each name, numbered where a column has that name already."""
    used = set(taken)
    free = {}
    for name in sorted(names):
        new, number = f"source_{name}", 1
        while new in used:
            number += 1
            new = f"source_{name}_{number}"
        used.add(new)
        free[name] = new
    return free


def set_aside(table: pl.DataFrame, names: Collection[str]) -> pl.DataFrame:
    """Rename further columns whose names the data set needs for its own."""
    return table.rename(free_names([name for name in names if name in table.columns], table.columns))


def with_attribute_sources(
    raw: pl.DataFrame, columns: Mapping[str, str], attributes: Mapping[str, Mapping[str, str]], path: Path
) -> pl.DataFrame:
    """Copy the columns that attributes are taken from, before the events' own columns get our names.

    Args:
        raw: the events as the file has them.
        columns: the events' mapping, our name → the file's.
        attributes: "item" or "user" → our name of the attribute → column of the events file, by the file's
            name or ours.
        path: the events file.

    Returns:
        The table with a column `from_events.<kind>.<attribute>` for each.

    Raises:
        IngestError: a column is absent.
    """
    copies = []
    for kind, wanted in attributes.items():
        for ours, given in wanted.items():
            theirs = given if given in raw.columns else columns.get(given, given)
            if theirs not in raw.columns:
                raise IngestError(
                    f"{path}: has no column {given!r} for {ours!r}; it has {', '.join(_named(raw))}; "
                    f"correct {kind}s.from_events in {MAPPING_NAME}"
                )
            copies.append(pl.col(theirs).alias(f"{FROM_EVENTS}{kind}.{ours}"))
    return raw.with_columns(copies)


def require(table: pl.DataFrame, names: Collection[str], raw: pl.DataFrame, path: Path, section: str) -> None:
    """Raise IngestError for the first of our names that the table lacks."""
    for name in names:
        if name not in table.columns:
            raise IngestError(
                f"{path}: has no column {name!r}; it has {', '.join(_named(raw))}; "
                f"say which one it is in {MAPPING_NAME} under {section}.columns"
            )


def _named(table: pl.DataFrame) -> list[str]:
    shown = [name for name in table.columns if not name.startswith(FROM_EVENTS)]
    return shown[:50] + (["…"] if len(shown) > 50 else [])
