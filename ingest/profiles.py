"""The users table and the vocabulary of profile fields."""

from __future__ import annotations

import polars as pl

from features.profile import PROFILE_FIELDS
from ingest.dense_ids import DenseIds


def profile_vocabulary(users: pl.DataFrame | None) -> dict[str, list[str]]:
    """The sorted values of each profile field; a value's code is its position + 1.

    Args:
        users: the shop's users table, or None where there is none.
    """
    return {
        field: users[field].drop_nulls().unique().sort().to_list()
        if users is not None and field in users.columns
        else []
        for field in PROFILE_FIELDS
    }


def users_table(ids: DenseIds, users: pl.DataFrame | None, vocabulary: dict[str, list[str]]) -> pl.DataFrame:
    """Users in dense order with their profiles and profile codes.

    Args:
        ids: all users.
        users: profiles by user_id (unique), or None.
        vocabulary: from `profile_vocabulary`.

    Returns:
        user int32, user_id str, the profile fields (str, null = unknown), `<field>_code` int32 (0 = unknown),
        then further columns.
    """
    table = pl.DataFrame({"user_id": ids.ids}).with_row_index("user", offset=1)
    table = table.with_columns(pl.col("user").cast(pl.Int32))
    if users is not None:
        table = table.join(users, on="user_id", how="left", maintain_order="left")
    table = table.with_columns(
        pl.lit(None, dtype=pl.String).alias(field) for field in PROFILE_FIELDS if field not in table.columns
    )
    table = table.with_columns(
        pl.col(field)
        .replace_strict(
            vocabulary[field],
            list(range(1, len(vocabulary[field]) + 1)),
            default=0,
            return_dtype=pl.Int32,
        )
        .fill_null(0)
        .alias(f"{field}_code")
        if vocabulary[field]
        else pl.lit(0, dtype=pl.Int32).alias(f"{field}_code")
        for field in PROFILE_FIELDS
    )
    leading = ["user", "user_id", *PROFILE_FIELDS, *(f"{field}_code" for field in PROFILE_FIELDS)]
    return table.select(*leading, pl.exclude(leading))
