"""A filter with a learned table and a query feature from the event log."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from pipeline.candidates import Candidates
from recall.channel import BuildSource
from recall.query import Query
from router.filters.kind import FilterKind
from router.query_features.kind import FeatureRequest, QueryFeatureKind
from router.tables.component import Parts
from router.tables.kind import TableKind
from snapshot.catalogue import Catalogue
from snapshot.columns import load_column, save_column
from snapshot.event_codes import VIEW


class PatienceSettings(BaseModel):
    """How the table is learned."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    share: float = Field(0.5, gt=0, le=1, description="Part of an item's usual number of views.")


class SeenEnoughSettings(BaseModel):
    """Removes items that the shopper viewed as often as most do before they lose interest."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def build_patience(source: BuildSource, folder: Path, settings: PatienceSettings) -> dict[str, int]:
    """Views of each item per shopper who viewed it, at least 2: after as many it is not shown again."""
    import polars as pl

    views = source.events.filter((pl.col("event") == VIEW) & (pl.col("ts") <= source.now))
    usual = views.group_by("item").agg(pl.len() / pl.col("user").n_unique())
    patience = np.full(source.catalogue.size + 1, 2, np.int32)
    learned = np.ceil(usual["len"].to_numpy() * settings.share).astype(np.int32)
    patience[usual["item"].to_numpy()] = np.maximum(learned, 2)
    save_column(folder, "patience", patience)
    return {"items": len(usual)}


def open_patience(folder: Path, catalogue: Catalogue, settings: PatienceSettings) -> NDArray[np.int32]:
    return load_column(folder, "patience", np.dtype(np.int32), catalogue.size + 1)


PATIENCE = TableKind("patience", PatienceSettings, build_patience, open_patience)


@dataclass(frozen=True)
class SeenEnough:
    """Removes what the shopper viewed as often as the table allows, by the event log."""

    patience: NDArray[np.int32]
    name: str = "seen_enough"

    def keep(self, query: Query, candidates: Candidates) -> NDArray[np.bool_]:
        counts = query.features["logged_views"]
        viewed = np.array([counts.get(item, 0) for item in candidates.items.tolist()])
        return viewed < self.patience[candidates.items]


def create(parts: Parts, settings: SeenEnoughSettings) -> SeenEnough:
    return SeenEnough(parts.tables["patience"])


async def logged_views(request: FeatureRequest) -> Mapping[int, int]:
    """Views by item, of the shopper's entries in the event log."""

    def read() -> dict[int, int]:
        ids = [
            event.item_id
            for _, event in request.store.read_log()
            if event.user_id == request.user_id and event.event == VIEW
        ]
        items, counts = np.unique(request.catalogue.dense(ids), return_counts=True)
        return dict(zip(items.tolist(), counts.tolist(), strict=True))

    return await asyncio.to_thread(read)


FILTER = FilterKind(
    settings=SeenEnoughSettings, create=create, tables=(PATIENCE,), features=("logged_views",)
)
FEATURE = QueryFeatureKind(
    hydrate=logged_views,
    default=MappingProxyType({}),
    description="Views by dense item.",
    timeout_ms=5_000,
)
