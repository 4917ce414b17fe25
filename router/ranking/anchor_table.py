"""The learned table of the scorer `anchor`: how often items share baskets with each item, and with any."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from recall.basket_settings import BasketSettings
from recall.channel import BuildSource
from recall.lists import ItemLists, best_of_each_row, ranked_lists
from router.tables.kind import TableKind
from snapshot.catalogue import Catalogue
from snapshot.columns import load_column, save_column

PAIRS, BASKETS = "pairs", "baskets"


class AnchorTableSettings(BasketSettings):
    """Which pairs of items are counted and kept."""

    partners: int = Field(
        default=400, ge=1, le=10_000, description="Items kept of each item, those that share most baskets."
    )


@dataclass(frozen=True, slots=True)
class AnchorTable:
    """How often items share baskets.

    pairs    of each item 0…N, its partners and `together` of `recall.baskets`
    baskets  int64[N + 1], baskets that hold each item
    """

    pairs: ItemLists
    baskets: NDArray[np.int64]


def build(source: BuildSource, folder: Path, settings: AnchorTableSettings) -> dict[str, int]:
    """Write the table into `folder`; returns how many entries each file holds.

    Items out of stock keep their pairs: they may be back before the next build, and are filtered until then.
    """
    from recall.baskets import baskets_of

    size = source.catalogue.size
    baskets = baskets_of(source, settings)
    counts = baskets.counts(size)
    # By the count alone, the partners kept of every item would be the bestsellers.
    discount = (counts + 10.0) ** -0.3
    rows: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
    items: list[NDArray[np.int32]] = [np.empty(0, np.int32)]
    strengths: list[NDArray[np.float32]] = [np.empty(0, np.float32)]
    for block, together in baskets.pairs(size, settings.pairs_per_block):
        strength = together.data * discount[together.indices]
        kept = best_of_each_row(together.indptr, strength, settings.partners)
        rows.append(np.repeat(np.arange(*block), np.diff(together.indptr))[kept])
        items.append(together.indices[kept].astype(np.int32))
        strengths.append(together.data[kept])
    pairs = ranked_lists(
        np.concatenate(rows), np.concatenate(items), np.concatenate(strengths), size + 1, settings.partners
    )
    save_column(folder, BASKETS, counts.astype(np.int64))
    return {PAIRS: pairs.write(folder, PAIRS), BASKETS: int(np.count_nonzero(counts))}


def open_table(folder: Path, catalogue: Catalogue, settings: AnchorTableSettings) -> AnchorTable:
    """Map the table. Raises SnapshotError where a file is torn or does not fit the catalogue."""
    size = catalogue.size + 1
    return AnchorTable(
        ItemLists.open(folder, PAIRS, size), load_column(folder, BASKETS, np.dtype(np.int64), size)
    )


ANCHOR_PAIRS = TableKind("anchor_pairs", AnchorTableSettings, build, open_table)
