"""The learned table of the scorer `anchor`: how often items share baskets with each item, and with any."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from recall.basket_settings import BasketSettings
from recall.channel import BuildSource
from recall.lists import ItemLists, ranked_lists
from recall.popularity_discount import popularity_discount
from router.tables.kind import TableKind
from snapshot.catalogue import Catalogue
from snapshot.columns import load_column, save_column

PAIRS, CATEGORY_PAIRS, BASKETS = "pairs", "category_pairs", "baskets"
KEPT_EXPONENT = 0.3
"""Exponent of the popularity discount by which the partners that are kept are chosen."""


class AnchorTableSettings(BasketSettings):
    """Which pairs of items are counted and kept."""

    partners: int = Field(
        default=400, ge=1, le=10_000, description="Items kept of each item, those that share most baskets."
    )
    category_partners: int = Field(
        default=400, ge=1, le=10_000, description="Items kept of each category, likewise."
    )


@dataclass(frozen=True, slots=True)
class AnchorTable:
    """How often items share baskets.

    pairs           of each item 0…N, its partners and `together` of `recall.baskets`
    category_pairs  of each category 0…C, the same of `recall.category_partners`
    baskets         int64[N + 1], baskets that hold each item
    """

    pairs: ItemLists
    category_pairs: ItemLists
    baskets: NDArray[np.int64]


def build(source: BuildSource, folder: Path, settings: AnchorTableSettings) -> dict[str, int]:
    """Write the table into `folder`; returns how many entries each file holds.

    Items out of stock keep their pairs: they may be back before the next build, and are filtered until then.
    """
    from recall.baskets import baskets_of, strongest_partners
    from recall.category_partners import category_partners

    catalogue = source.catalogue
    size, categories = catalogue.size, catalogue.category_count
    baskets = baskets_of(source, settings)
    counts = baskets.counts(size)
    # By the count alone, the partners kept of every item would be the bestsellers.
    discount = popularity_discount(counts, KEPT_EXPONENT)

    def strength(
        row: NDArray[np.int64], item: NDArray[np.int32], together: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        return np.asarray(together * discount[item])

    block, most = settings.pairs_per_block, settings.partners
    pairs = strongest_partners(baskets, size, block, most, strength, scored_by="together")
    most = settings.category_partners
    found = category_partners(baskets, catalogue.category, categories, block, most, strength)
    of_category = ranked_lists(found.row, found.item, found.together, categories + 1, most)
    save_column(folder, BASKETS, counts.astype(np.int64))
    return {
        PAIRS: pairs.write(folder, PAIRS),
        CATEGORY_PAIRS: of_category.write(folder, CATEGORY_PAIRS),
        BASKETS: int(np.count_nonzero(counts)),
    }


def open_table(folder: Path, catalogue: Catalogue, settings: AnchorTableSettings) -> AnchorTable:
    """Map the table. Raises SnapshotError where a file is torn or does not fit the catalogue."""
    size = catalogue.size + 1
    return AnchorTable(
        ItemLists.open(folder, PAIRS, size),
        ItemLists.open(folder, CATEGORY_PAIRS, catalogue.category_count + 1),
        load_column(folder, BASKETS, np.dtype(np.int64), size),
    )


ANCHOR_PAIRS = TableKind("anchor_pairs", AnchorTableSettings, build, open_table)
