"""Outfit's offline side: which categories go with which, and which items of them with an item.

    together(i, j) = Σ over sets (or baskets) with both  1 / log2(1 + |set|)
    strength(i, j) = together(i, j) / √(n_i · n_j)

with n_i the number of sets that hold i. Two items of one category never go together here: they are choices of
the same thing. Sets that the shop brings come before baskets.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recall.baskets import Baskets, baskets_of, strongest_partners
from recall.channel import BuildSource, NothingToRecall
from recall.lists import ItemLists, ranked_lists
from recall.outfit_sets import OutfitSets
from recall.outfit_settings import OutfitSettings

SLOTS, OF_SETS, OF_BASKETS, BEST_SOLD = "slots", "of_sets", "of_baskets", "best_sold"
_LIFTED = 1.0
"""Baskets have two categories together at least so many times as often as by chance."""


@dataclass(frozen=True)
class _Together:
    """Partners of items, and of categories, in one kind of evidence."""

    items: ItemLists
    categories: sp.csr_matrix


def build_tables(source: BuildSource, folder: Path, settings: OutfitSettings) -> dict[str, int]:
    """Writes the tables; returns their entries. Raises NothingToRecall where no categories go together."""
    if source.outfits is None and source.pictures is None:
        raise NothingToRecall("the shop brings neither outfits nor pictures of its items")
    baskets = _together(source, baskets_of(source, settings), settings, settings.least_together, _LIFTED)
    kinds = [baskets]
    if source.outfits is not None:
        kinds.insert(0, _together(source, _as_baskets(source.outfits), settings, 1, 0.0))
    slots = _slots(kinds, settings.slots)
    if not len(slots.items):
        raise NothingToRecall("no two categories are in one outfit, or often enough in one basket")
    nothing = ranked_lists(*(np.empty(0, np.int64),) * 3, source.catalogue.size + 1, 1)
    return {
        SLOTS: slots.write(folder, SLOTS),
        OF_SETS: (kinds[0].items if source.outfits is not None else nothing).write(folder, OF_SETS),
        OF_BASKETS: baskets.items.write(folder, OF_BASKETS),
        BEST_SOLD: _best_sold(source, settings.ruled).write(folder, BEST_SOLD),
    }


def _as_baskets(sets: OutfitSets) -> Baskets:
    count = int(sets.number.max(initial=-1)) + 1
    return Baskets(sets.number, sets.item, np.zeros(count, np.int32), np.zeros(count, np.int64))


def _together(
    source: BuildSource, baskets: Baskets, settings: OutfitSettings, least: int, lifted: float
) -> _Together:
    catalogue = source.catalogue
    counts = np.maximum(baskets.counts(catalogue.size), 1)
    category, sold = np.asarray(catalogue.category), np.asarray(catalogue.in_stock)

    def strength(
        row: NDArray[np.int64], item: NDArray[np.int32], together: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        other = (category[row] != category[item]) & (category[item] > 0) & sold[item]
        return np.asarray(other * together / np.sqrt(counts[row] * counts[item]))

    most = settings.slots * settings.per_slot * 4
    lists = strongest_partners(baskets, catalogue.size, settings.pairs_per_block, most, strength)
    return _Together(lists, _categories(category, baskets, catalogue.code_count("category"), least, lifted))


def _categories(
    category: NDArray[np.int32], baskets: Baskets, codes: int, least: int, lifted: float
) -> sp.csr_matrix:
    """float64[codes + 1, codes + 1]: of the baskets with one category, the part that has the other."""
    count = int(baskets.basket.max(initial=-1)) + 1
    of = category[baskets.item]
    known = of > 0
    held = sp.csr_matrix(
        (np.ones(int(known.sum())), (baskets.basket[known], of[known])), (max(count, 1), codes + 1)
    )
    held.data[:] = 1
    both = (held.T @ held).tocoo()
    alone = np.asarray(held.sum(axis=0)).ravel()
    expected = alone[both.row] * alone[both.col] / max(count, 1)
    kept = (both.row != both.col) & (both.data >= least) & (both.data >= lifted * expected)
    row, col, data = both.row[kept], both.col[kept], both.data[kept]
    return sp.csr_matrix((data / alone[row], (row, col)), both.shape)


def _slots(kinds: list[_Together], most: int) -> ItemLists:
    """Row c: the categories that go with c; those of the first kind of evidence come first."""
    parts = []
    for before, kind in enumerate(kinds):
        found = kind.categories.tocoo()
        parts.append((found.row, found.col, found.data + (len(kinds) - 1 - before)))
    row, col, score = (np.concatenate(column) for column in zip(*parts, strict=True))
    # Of both kinds the first counts.
    order = np.lexsort((-score, col, row))
    row, col, score = row[order], col[order], score[order]
    first = np.ones(len(row), np.bool_)
    first[1:] = (row[1:] != row[:-1]) | (col[1:] != col[:-1])
    return ranked_lists(row[first], col[first], score[first], kinds[0].categories.shape[0], most)


def _best_sold(source: BuildSource, most: int) -> ItemLists:
    """Row c: items of the category in stock, by popularity."""
    catalogue = source.catalogue
    items = np.flatnonzero(np.asarray(catalogue.in_stock) & (np.asarray(catalogue.category) > 0))
    popularity = np.maximum(np.nan_to_num(np.asarray(catalogue.popularity)[items]), 0)
    return ranked_lists(
        np.asarray(catalogue.category)[items], items, popularity, catalogue.code_count("category") + 1, most
    )
