"""The log that shops of any size are grown from: seeded, shaped as stated, and the same however it is cut."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from benchmarks.scale_log import BLOCK_SHOPPERS, EVENTS_PER_SHOPPER, ScaleLog

LOG = ScaleLog(30_000, seed=3)
TWO_BLOCKS = ScaleLog(83_000, seed=3)


@pytest.fixture(scope="module")
def events() -> pl.DataFrame:
    table = pl.from_arrow(LOG.block(0))
    assert isinstance(table, pl.DataFrame)
    return table


def test_a_block_depends_on_the_recipe_and_its_number_alone() -> None:
    log = ScaleLog(2_000, seed=3)
    again, other_seed = ScaleLog(2_000, seed=3), replace(log, seed=4)
    assert again.block(0).equals(log.block(0))
    assert not other_seed.block(0).equals(log.block(0))
    # Nothing of the first block was made before.
    assert TWO_BLOCKS.blocks == 2
    assert set(TWO_BLOCKS.block(1)["user_id"].to_pylist()) == set(
        range(BLOCK_SHOPPERS + 1, TWO_BLOCKS.shoppers + 1)
    )


def test_popularity_falls_as_stated(events: pl.DataFrame) -> None:
    counts = np.sort(events["item_id"].value_counts()["count"].to_numpy())[::-1]
    rank = np.arange(1, len(counts) + 1)

    def slope(first: int, last: int) -> float:
        chosen = slice(first - 1, last)
        return float(np.polyfit(np.log(rank[chosen]), np.log(counts[chosen]), 1)[0])

    # Local slopes of the stated weights: -.65 - r / .28 N.
    assert slope(1, 300) == pytest.approx(-0.66, abs=0.06)
    assert slope(300, 3_000) == pytest.approx(-0.80, abs=0.06)
    assert slope(6_000, 12_000) < -1.2
    assert counts[:300].sum() / counts.sum() == pytest.approx(0.32, abs=0.03)


def test_shoppers_come_in_sessions_and_back_to_what_they_took(events: pl.DataFrame) -> None:
    per_shopper = events["user_id"].value_counts()["count"]
    assert float(per_shopper.mean()) == pytest.approx(EVENTS_PER_SHOPPER, rel=0.05)  # type: ignore[arg-type]
    assert float(np.log(per_shopper.to_numpy()).std()) == pytest.approx(1.1, abs=0.06)
    gap = pl.col("timestamp") - pl.col("timestamp").shift(1).over("user_id")
    sessions = events.select((gap > 1_800).fill_null(True).sum()).item()
    assert events.height / sessions == pytest.approx(7.1, rel=0.08)
    distinct = events.select(pl.struct("user_id", "item_id").n_unique()).item()
    assert 1 - distinct / events.height == pytest.approx(0.41, abs=0.03)
    # But for sessions of a shopper that begin within seconds of each other, time goes on.
    assert (events.select((gap >= 0).mean()).item()) > 0.99


def test_a_session_stays_with_a_category_more_than_chance_would(events: pl.DataFrame) -> None:
    category = LOG.category[events["item_id"].to_numpy() - 1]
    rows = events.with_columns(pl.Series("category", category)).with_columns(
        same=pl.col("category") == pl.col("category").shift(1).over("user_id"),
        gap=pl.col("timestamp") - pl.col("timestamp").shift(1).over("user_id"),
    )
    within = rows.filter(pl.col("gap") <= 1_800)["same"].mean()
    between = rows.filter(pl.col("gap") > 1_800)["same"].mean()
    assert isinstance(within, float)
    assert isinstance(between, float)
    assert within > 1.15 * between


@pytest.mark.parametrize("items", [100, 5_000])
def test_every_item_shopper_and_category_of_the_files_is_described(items: int, tmp_path: Path) -> None:
    log = ScaleLog(items)
    rows = log.write(tmp_path)
    events, described, shoppers = (
        pl.read_parquet(tmp_path / f"{name}.parquet") for name in ("events", "items", "users")
    )
    assert rows == {"events": events.height, "items": items, "users": items // 10}
    assert described["item_id"].to_list() == list(range(1, items + 1))
    assert described["category"].n_unique() == log.categories
    assert set(events["user_id"]) == set(shoppers["user_id"])
    assert set(events["item_id"]) <= set(described["item_id"])
