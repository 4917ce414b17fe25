"""Dense indices 1…n for external ids, in order of first appearance."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True)
class DenseIds:
    """External ids in dense order: the id at row r has the dense index r + 1."""

    ids: pl.Series

    def __len__(self) -> int:
        """Number of ids."""
        return len(self.ids)


def by_first_appearance(
    events: pl.DataFrame, id_column: str, dense_column: str
) -> tuple[pl.DataFrame, DenseIds]:
    """Replace an id column by dense indices.

    Ids are ordered by the time of their first event, ties by the id, so that the order does not depend on the
    order of the file and says nothing about what came later.

    Args:
        events: has `id_column` (str or integer, no nulls) and ts_ms int64.
        id_column: the column to replace.
        dense_column: its successor, int32.

    Returns:
        The events in unchanged row order, and the ids (str).
    """
    first = (
        events.lazy()
        .group_by(id_column)
        .agg(pl.col("ts_ms").min())
        .with_columns(pl.col(id_column).cast(pl.String).alias("text"))
        .sort("ts_ms", "text")
        .with_row_index(dense_column, offset=1)
        .select(id_column, "text", pl.col(dense_column).cast(pl.Int32))
        .collect()
    )
    encoded = events.join(first.drop("text"), on=id_column, how="left", maintain_order="left").drop(id_column)
    return encoded, DenseIds(first["text"].rename(id_column))


def compact(
    events: pl.DataFrame, dense_column: str, ids: DenseIds, further_ids: pl.Series
) -> tuple[pl.DataFrame, DenseIds]:
    """Close the gaps that removed events left, keeping the order, and append ids that have no events.

    Args:
        events: has `dense_column` int32 with indices into `ids`.
        dense_column: the column to renumber.
        ids: what the indices mean now.
        further_ids: str, ids to know besides; those with events are not repeated, the rest is sorted.

    Returns:
        The events with new indices, and what they mean.
    """
    used = events.select(pl.col(dense_column).unique().sort()).with_row_index("compacted", offset=1)
    renumbered = (
        events.with_columns(
            pl.col(dense_column).replace_strict(
                used[dense_column], used["compacted"].cast(pl.Int32), return_dtype=pl.Int32
            )
        )
        if len(used)
        else events
    )
    kept = ids.ids.gather(used[dense_column] - 1)
    silent = further_ids.cast(pl.String).unique()
    silent = silent.filter(~silent.is_in(kept.implode())).sort()
    return renumbered, DenseIds(pl.concat([kept, silent.rename(kept.name)]))
