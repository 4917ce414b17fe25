"""A shop's file of venues: which items each hall, channel, live room or shop shows."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from ingest.column_types import with_plain_types
from ingest.findings import Findings
from ingest.importers.generic_columns import require, with_our_names
from ingest.placeholders import without_placeholders

KNOWN_VENUES = ("venue", "item_id", "title")


def with_venues(items: pl.DataFrame, raw: pl.DataFrame, path: Path, findings: Findings) -> pl.DataFrame:
    """The items, each without a venue of its own with that of the file, named by its title where it has one.

    An item has one venue: of several, the file's first.

    Args:
        items: by item_id, unique.
        raw: the file: venue, item_id, and optionally title, one row for each item of a venue.
        path: file to name.
        findings: gains what was left out, and an alarm where no item of the file is known.

    Raises:
        IngestError: a column is missing.
    """
    table = with_plain_types(with_our_names(raw, {}, KNOWN_VENUES, path), KNOWN_VENUES, path)
    require(table, ["venue", "item_id"], raw, path, "venues")
    names = [name for name in KNOWN_VENUES if name in table.columns]
    rows = table.select(
        without_placeholders(table[name].cast(pl.String).str.strip_chars()).alias(name) for name in names
    ).drop_nulls(["venue", "item_id"])
    if "title" not in names:
        rows = rows.with_columns(pl.lit(None, pl.String).alias("title"))
    # One title for a venue, the first: rows may repeat it or leave it out.
    titles = rows.group_by("venue", maintain_order=True).agg(
        pl.coalesce(pl.col("title").drop_nulls().first(), pl.col("venue").first()).alias("shown")
    )
    named = rows.join(titles, on="venue", how="left", maintain_order="left")
    first = named.unique("item_id", keep="first", maintain_order=True).select("item_id", "shown")
    repeated = named.unique(["item_id", "venue"]).height - first.height
    if repeated:
        findings.changed[f"{path.name}: further venues of an item left out"] = repeated
    if "item_id" not in items.columns:
        return items
    joined = items.join(first, on="item_id", how="left", maintain_order="left")
    if first.height and joined["shown"].null_count() == joined.height:
        findings.alarm(f"{path.name}: no item of this file is in the items file, so it names nothing")
    own = [pl.col("venue").cast(pl.String)] if "venue" in items.columns else []
    return joined.with_columns(pl.coalesce(*own, "shown").alias("venue")).drop("shown")
