"""Tiny logs of a grocer, a film shop and a fashion shop, which differ in what people take again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from ingest.ingest_folder import ingest_folder
from ingest.settings import IngestSettings
from snapshot import Dataset

START = datetime(2024, 1, 1, 12, tzinfo=UTC)
CREATED_AT = datetime(2024, 12, 1, tzinfo=UTC)
SHOPPERS = 40
_DAY_S = 86_400

Row = tuple[int, int, str, int]
"""Shopper, item, event, day."""


def grocer(folder: Path, seed: int = 1) -> Dataset:
    """Everybody buys five of their own eight items every week; sizes of a product share its title."""
    random = np.random.default_rng(seed)

    def rows() -> Iterator[Row]:
        for shopper in range(SHOPPERS):
            staples = random.choice(60, 8, replace=False)
            for week in range(20):
                for item in random.choice(staples, 5, replace=False):
                    yield shopper, int(item), "purchase", 7 * week + shopper % 7

    return _ingested(folder, rows(), [f"product {item // 3}" for item in range(60)])


def film_shop(folder: Path, seed: int = 1) -> Dataset:
    """Everybody buys a film every four days, never one twice; no two films share a title."""
    random = np.random.default_rng(seed)

    def rows() -> Iterator[Row]:
        for shopper in range(SHOPPERS):
            for visit, film in enumerate(random.choice(120, 30, replace=False)):
                yield shopper, int(film), "purchase", 4 * visit + shopper % 4

    return _ingested(folder, rows(), [f"film {item}" for item in range(120)])


def fashion_shop(folder: Path, seed: int = 1) -> Dataset:
    """Everybody looks at a piece on two days before buying it; one purchase in 25 is bought a second time."""
    random = np.random.default_rng(seed)

    def rows() -> Iterator[Row]:
        for shopper in range(SHOPPERS):
            for visit, piece in enumerate(random.choice(150, 25, replace=False)):
                day = 5 * visit + shopper % 5
                yield shopper, int(piece), "view", day
                yield shopper, int(piece), "view", day + 1
                yield shopper, int(piece), "purchase", day + 2
                if visit == shopper % 25:
                    yield shopper, int(piece), "purchase", day + 40

    return _ingested(folder, rows(), [f"piece {item}" for item in range(150)])


def _ingested(folder: Path, rows: Iterator[Row], titles: list[str]) -> Dataset:
    shop = folder / "shop"
    shop.mkdir(parents=True)
    first = int(START.timestamp())
    events = pl.DataFrame(list(rows), schema=["user_id", "item_id", "event", "day"], orient="row")
    events.select(
        pl.format("u{}", "user_id").alias("user_id"),
        pl.format("i{}", "item_id").alias("item_id"),
        "event",
        timestamp=first + pl.col("day") * _DAY_S,
    ).write_csv(shop / "events.csv")
    pl.DataFrame(
        {
            "item_id": [f"i{item}" for item in range(len(titles))],
            "title": titles,
            "category": [f"c{item % 10}" for item in range(len(titles))],
        }
    ).write_csv(shop / "items.csv")
    return ingest_folder(shop, folder, IngestSettings(), seed=0, created_at=CREATED_AT)
