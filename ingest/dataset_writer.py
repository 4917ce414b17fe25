"""From a shop's tables to a sealed data set: dense ids, cleaning, cuts, catalogue, files."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import polars as pl

from features.profile import PROFILE_FIELDS
from ingest.catalogue_columns import catalogue_content
from ingest.cleaning.rules import clean
from ingest.corrections import UNKNOWN, numbered_removals, without_corrections
from ingest.deleted_shoppers import without_deleted
from ingest.dense_ids import DenseIds, by_first_appearance, compact
from ingest.minimum import alarm_on_little, refuse_too_little
from ingest.profiles import profile_vocabulary, users_table
from ingest.settings import IngestSettings
from ingest.shop_facts import measure_shop
from ingest.shop_tables import IngestError, Progress, ShopTables
from ingest.time_cuts import time_cuts
from ingest.unknown_stock import unknown_out_of_stock
from snapshot.catalogue import CATALOGUE_FOLDER, Catalogue
from snapshot.catalogue_writer import write_catalogue
from snapshot.dataset import (
    CART_REMOVALS_NAME,
    EVENTS_NAME,
    IMAGE_COLUMN,
    ITEMS_NAME,
    ITEMS_WITH_PICTURES,
    TAGGED_TITLES_NAME,
    USERS_NAME,
    Dataset,
    DatasetStore,
)
from snapshot.event_codes import EVENT_CODES, REMOVE_FROM_CART
from snapshot.item_columns import ITEM_COLUMNS
from snapshot.manifest import Manifest
from snapshot.partition_work import IN_THIS_PROCESS, PartitionWork
from snapshot.tombstones import NO_TOMBSTONES, Tombstones

_LOG = logging.getLogger(__name__)


def write_dataset(
    tables: ShopTables,
    workspace: Path,
    settings: IngestSettings,
    seed: int,
    progress: Progress,
    created_at: datetime,
    tombstones: Tombstones = NO_TOMBSTONES,
    work: PartitionWork = IN_THIS_PROCESS,
) -> Dataset:
    """Clean a shop's tables and seal them as the published data set of a workspace.

    Args:
        tables: from an importer.
        workspace: folder whose `datasets/` gains the data set.
        settings: cleaning, cuts and what else can be chosen.
        seed: of cleaning rules that draw.
        progress: called with the stage and the part that is done, 0…1.
        created_at: date of the data set, with a time zone.
        tombstones: shoppers that were deleted, whose rows are left out.
        work: where events are cleaned.

    Returns:
        The opened data set.

    Raises:
        IngestError: no event is left, or too few to learn from.
        ItemIdClash: two item ids share a key.
    """
    tables, corrections = without_corrections(without_deleted(tables, tombstones))
    if tables.events.is_empty():
        raise IngestError(
            f"{tables.source}: all {corrections.height:,} events take something out of a cart, which is no "
            "interest; the models learn from views, favourites, carts and purchases: bring those too"
        )
    progress("numbering users and items", 0.3)
    events, user_ids = by_first_appearance(tables.events, "user_id", "user")
    events, item_ids = by_first_appearance(events, "item_id", "item")
    events = events.sort("user", "ts_ms", maintain_order=True)
    cleaned = clean(
        events,
        settings.cleaning,
        seed,
        lambda rule: progress(f"cleaning: {rule.replace('_', ' ')}", 0.5),
        work,
    )
    events = events[cleaned.rows]
    if events.is_empty():
        by_rule = ", ".join(f"{rule} {count:,}" for rule, count in cleaned.removed.items() if count)
        raise IngestError(
            f"{tables.source}: no event is left of {tables.events.height:,} after cleaning (removed by "
            f"{by_rule}); bring more events, or change these rules under ingest.cleaning in the configuration"
        )
    progress("laying out the catalogue", 0.7)
    events, user_ids = compact(events, "user", user_ids, _ids(tables.users, "user_id"))
    further_items = tables.items if settings.keep_items_without_events else None
    events, item_ids = compact(events, "item", item_ids, _ids(further_items, "item_id"))
    events = events.with_columns((pl.col("ts_ms") // 1_000).alias("ts")).drop("ts_ms")
    leading = ["user", "item", "event", "ts"]
    events = events.select(*leading, pl.exclude(leading))
    cuts = time_cuts(events["ts"], settings.cuts)
    removed = {
        **tables.removed,
        **{f"cleaning: {rule.replace('_', ' ')}": count for rule, count in cleaned.removed.items()},
    }
    refuse_too_little(events, cuts, tables.source, removed)
    described, alarms = tables.items, [*tables.alarms, *alarm_on_little(events)]
    if described is not None and not tables.unknown_stock_sells and not settings.unknown_stock_sells:
        described, unknown = unknown_out_of_stock(described, item_ids.ids)
        if unknown:
            alarms.append(
                f"the stock of {unknown:,} of {len(item_ids):,} items is unknown, so they are not offered; "
                "bring in_stock for them, or set ingest.unknown_stock_sells in the configuration"
            )
    for alarm in alarms:
        _LOG.warning("%s", alarm)
    content = catalogue_content(item_ids, described, events, cuts.valid_from)
    vocabulary = profile_vocabulary(tables.users)
    users = users_table(user_ids, tables.users, vocabulary)
    removals = corrections.filter(pl.col("event") == REMOVE_FROM_CART)
    taken_out = numbered_removals(removals, user_ids, item_ids)
    removed |= {UNKNOWN: removals.height - taken_out.height} if removals.height > taken_out.height else {}
    by_code = _counts(corrections) | {REMOVE_FROM_CART: taken_out.height} | _counts(events)

    progress("writing the data set", 0.85)
    store = DatasetStore(workspace / "datasets")
    staged = store.stage()
    try:
        events.write_parquet(staged / EVENTS_NAME, compression="zstd")
        if taken_out.height:
            taken_out.write_parquet(staged / CART_REMOVALS_NAME, compression="zstd")
        users.write_parquet(staged / USERS_NAME, compression="zstd")
        _items_table(item_ids, tables.items).write_parquet(staged / ITEMS_NAME, compression="zstd")
        if tables.tagged_titles is not None:
            tables.tagged_titles.write_parquet(staged / TAGGED_TITLES_NAME, compression="zstd")
        write_catalogue(
            staged / CATALOGUE_FOLDER,
            item_ids.ids.to_list(),
            content.columns,
            content.names,
            vocabulary,
        )
        manifest = Manifest(
            kind="dataset",
            created_at=created_at.isoformat(timespec="microseconds"),
            source=tables.source,
            rows=_row_counts(tables, events, by_code, user_ids, item_ids),
            time_range=(int(events["ts"].min()), int(events["ts"].max())),  # type: ignore[arg-type]
            cuts=cuts,
            tombstones=tombstones.revision,
            switched_off=_switched_off(tables, events, by_code),
            removed=removed,
            changed=tables.changed,
            examples=tables.examples,
            alarms=alarms,
            shop=measure_shop(events, Catalogue.open(staged / CATALOGUE_FOLDER), cuts.test_from, taken_out),
        )
        id = store.seal(staged, manifest)
    finally:
        store.discard(staged)
    store.publish(id)
    progress("data set ready", 1.0)
    return store.open(id, verify=False)


def _ids(table: pl.DataFrame | None, column: str) -> pl.Series:
    return table[column] if table is not None else pl.Series(column, [], dtype=pl.String)


def _items_table(ids: DenseIds, items: pl.DataFrame | None) -> pl.DataFrame:
    table = pl.DataFrame({"item_id": ids.ids}).with_row_index("item", offset=1)
    table = table.with_columns(pl.col("item").cast(pl.Int32))
    return table if items is None else table.join(items, on="item_id", how="left", maintain_order="left")


def _row_counts(
    tables: ShopTables,
    events: pl.DataFrame,
    by_code: Mapping[int, int],
    user_ids: DenseIds,
    item_ids: DenseIds,
) -> dict[str, int]:
    described = item_ids.ids.is_in(_ids(tables.items, "item_id").implode()).sum()
    profiled = user_ids.ids.is_in(_ids(tables.users, "user_id").implode()).sum()
    counts = {
        "events": events.height,
        "users": len(user_ids),
        "users_with_events": events["user"].n_unique(),
        "users_without_profile": len(user_ids) - int(profiled),
        "items": len(item_ids),
        "items_with_events": events["item"].n_unique(),
        "items_without_attributes": len(item_ids) - int(described),
    }
    if _has_values(tables.items, IMAGE_COLUMN):
        pictured = tables.items.filter(pl.col(IMAGE_COLUMN).is_not_null())["item_id"]  # type: ignore[union-attr]
        counts[ITEMS_WITH_PICTURES] = int(item_ids.ids.is_in(pictured.implode()).sum())
    if tables.tagged_titles is not None:
        counts["tagged_titles"] = tables.tagged_titles.height
    if tables.rows_read:
        counts = {"events_read": tables.rows_read} | counts
    return counts | {f"events_{name}": by_code.get(code, 0) for name, code in EVENT_CODES.items()}


def _switched_off(tables: ShopTables, events: pl.DataFrame, by_code: Mapping[int, int]) -> list[str]:
    """What the data cannot support: item attributes, profile fields and event types that never occur."""
    absent = [
        name
        for name, column in ITEM_COLUMNS.items()
        if column.from_items
        and not column.later
        and not (name == "price" and _has_values(events, name))
        and not _has_values(tables.items, name)
    ]
    absent += [field for field in PROFILE_FIELDS if not _has_values(tables.users, field)]
    return absent + [name for name, code in EVENT_CODES.items() if not by_code.get(code)]


def _counts(events: pl.DataFrame) -> dict[int, int]:
    """Number of events by code."""
    return dict(events["event"].value_counts().iter_rows())


def _has_values(table: pl.DataFrame | None, column: str) -> bool:
    return table is not None and column in table.columns and table[column].null_count() < table.height
