"""A filter, a reranker and a fusion with learned tables, registered as a plug-in's would be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from pipeline.candidates import Candidates
from pipeline.stages import RecalledColumns
from recall.channel import BuildSource
from recall.query import Query
from router.filters.kind import FilterKind
from router.filters.registry import FILTERS
from router.fusion.kind import FusionKind, FusionParts
from router.fusion.quota import fuse
from router.fusion.registry import FUSIONS
from router.rerank.kind import RerankerKind
from router.rerank.registry import RERANKERS
from router.tables.component import Parts
from router.tables.kind import TableKind
from snapshot.catalogue import Catalogue
from snapshot.columns import load_column, save_column

SOURCE = "my_shop"


class RareSettings(BaseModel):
    """How many shoppers an item needs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    least: int = Field(default=30, ge=1, description="Shoppers who took the item.")


class NoSettings(BaseModel):
    """There are no settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def build_rare(source: BuildSource, folder: Path, settings: RareSettings) -> dict[str, int]:
    """Writes a mask of items that few shoppers took, up to `source.now`."""
    taken = source.events.filter(pl.col("ts") <= source.now).select("user", "item").unique()
    shoppers = np.bincount(taken["item"].to_numpy(), minlength=source.catalogue.size + 1)
    rare = shoppers < settings.least
    save_column(folder, "rare", rare)
    return {"rare": int(np.count_nonzero(rare[1:]))}


def open_rare(folder: Path, catalogue: Catalogue, settings: RareSettings) -> np.ndarray:
    """bool[N+1]."""
    return load_column(folder, "rare", np.dtype(np.bool_), catalogue.size + 1)


RARE = TableKind("rare_items", RareSettings, build_rare, open_rare)


@dataclass(frozen=True)
class Rare:
    """Removes items that few shoppers took."""

    rare: np.ndarray
    name: str = "rare"

    def keep(self, query: Query, candidates: Candidates) -> np.ndarray:
        return ~self.rare[candidates.items]


@dataclass(frozen=True)
class RareLast:
    """Places items that few shoppers took last."""

    rare: np.ndarray
    name: str = "rare_last"

    def order(self, query: Query, candidates: Candidates, page_size: int) -> np.ndarray:
        return np.argsort(self.rare[candidates.items], kind="stable")


@dataclass(frozen=True)
class FirstOnly:
    """Takes what the first channel recalled."""

    channels: tuple[str, ...]

    def fuse(self, recalled: Sequence[RecalledColumns], total: int) -> Candidates:
        shares = np.zeros(len(recalled))
        shares[0] = 1
        return fuse(recalled, shares, total)


def filter_of(table: TableKind = RARE) -> FilterKind:
    """The filter, over another table of the same form where given."""

    def create(parts: Parts, settings: NoSettings) -> Rare:
        assert set(parts.tables) == {table.name}
        return Rare(parts.tables[table.name])

    return FilterKind(NoSettings, create, tables=(table,), features=("impressions",))


def create_rare_last(parts: Parts, settings: NoSettings) -> RareLast:
    return RareLast(parts.tables["rare_items"])


def create_first_only(parts: FusionParts, settings: NoSettings) -> FirstOnly:
    assert len(parts.channels) == len(parts.shares)
    return FirstOnly(parts.channels)


@contextmanager
def registered() -> Iterator[None]:
    """The parts under their names, while the body runs."""
    FILTERS.add("rare", filter_of(), SOURCE)
    RERANKERS.add("rare_last", RerankerKind(NoSettings, create_rare_last, tables=(RARE,)), SOURCE)
    FUSIONS.add("first_only", FusionKind(NoSettings, create_first_only), SOURCE)
    try:
        yield
    finally:
        for registry in (FILTERS, RERANKERS, FUSIONS):
            registry.remove(SOURCE)
