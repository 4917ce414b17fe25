"""Data sets leave out what shoppers did before they were deleted."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.deleted_shoppers import without_deleted
from ingest.ingest_folder import ingest_folder
from ingest.settings import IngestSettings
from ingest.shop_tables import IngestError, ShopTables
from snapshot.tombstones import NEVER, NO_TOMBSTONES, Tombstones, tombstone, user_hash
from testing.synthetic_shop import write_synthetic_shop

SALT = b"of one store ..."
USERS = ["u", "v", "ü", "7"]


def deleted(erased_ms: dict[str, int]) -> Tombstones:
    marks = {tombstone(SALT, user_hash(user)): at for user, at in erased_ms.items()}
    return Tombstones(SALT, marks, len(marks))


def tables(rows: list[tuple[str, int]]) -> ShopTables:
    events = pl.DataFrame(
        {
            "user_id": [user for user, _ in rows],
            "item_id": ["a"] * len(rows),
            "ts_ms": [at for _, at in rows],
        },
        schema={"user_id": pl.String, "item_id": pl.String, "ts_ms": pl.Int64},
    )
    return ShopTables(
        "shop", events, users=pl.DataFrame({"user_id": USERS, "city": ["Lyon"] * 4}), removed={"x": 1}
    )


@settings(deadline=None)
@given(
    rows=st.lists(st.tuples(st.sampled_from(USERS), st.integers(1, 9)), max_size=30),
    erased_ms=st.dictionaries(st.sampled_from(USERS), st.integers(0, 9)),
)
def test_what_came_before_is_left_out_and_the_rest_kept_in_order(
    rows: list[tuple[str, int]], erased_ms: dict[str, int]
) -> None:
    kept = [(user, at) for user, at in rows if at > erased_ms.get(user, NEVER)]
    if erased_ms and not kept:
        with pytest.raises(IngestError, match="all shoppers"):
            without_deleted(tables(rows), deleted(erased_ms))
        return
    left = without_deleted(tables(rows), deleted(erased_ms))
    assert left.events.select("user_id", "ts_ms").rows() == kept
    assert left.users is not None
    assert left.users["user_id"].to_list() == [user for user in USERS if user not in erased_ms]
    events, profiles = (f"{what} of shoppers who were deleted" for what in ("events", "profiles"))
    assert left.removed.get(events, 0) == len(rows) - len(kept)
    assert left.removed.get(profiles, 0) == len(erased_ms)


def test_ids_that_are_numbers_are_found() -> None:
    events = pl.DataFrame({"user_id": [7, 8], "item_id": [1, 1], "ts_ms": [5, 5]})
    left = without_deleted(ShopTables("shop", events), deleted({"7": 9}))
    assert left.events["user_id"].to_list() == [8]


def test_the_data_set_knows_nothing_of_the_shopper_and_says_how_far_it_looked(tmp_path: Path) -> None:
    write_synthetic_shop(tmp_path / "data", users=40, items=60, events=2_000, seed=1)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    settings = IngestSettings()
    before = ingest_folder(tmp_path / "data", tmp_path / "a", settings, 1, created_at=now)
    assert "u0007" in before.users()["user_id"].to_list()
    assert before.manifest.tombstones == NO_TOMBSTONES.revision == 0
    stones = deleted({"u0007": int(now.timestamp() * 1_000)})
    after = ingest_folder(tmp_path / "data", tmp_path / "b", settings, 1, created_at=now, tombstones=stones)
    assert "u0007" not in after.users()["user_id"].to_list()
    assert after.users().height == before.users().height - 1
    assert after.manifest.tombstones == 1
    assert after.manifest.removed["events of shoppers who were deleted"] > 0
