"""Outfit's offline side: which categories go with which, and which items of them with an item.

    together(i, j) = Σ over sets (or baskets) with both  1 / log2(1 + |set|)
    strength(i, j) = together(i, j) / √(n_i · n_j)

with n_i the number of sets that hold i. Two items of one category never go together here: they are choices of
the same thing. Sets that the shop brings come before baskets. Where there are many, a network learns from
them what goes together by looks, and is kept where more of the sets held out are found with it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from foundation.statistics.bootstrap import grouped_interval
from recall.baskets import Baskets, baskets_of, strongest_partners
from recall.channel import BuildSource, NothingToRecall
from recall.lists import ItemLists, ranked_lists
from recall.outfit_network import Pairs, first_pictures, pairs_of, train
from recall.outfit_sets import OutfitSets
from recall.outfit_settings import OutfitSettings
from recall.outfit_slots import NETWORK, Outfit
from recall.vector_index import write_vectors

logger = logging.getLogger(__name__)

SLOTS, OF_SETS, OF_BASKETS, BEST_SOLD = "slots", "of_sets", "of_baskets", "best_sold"
_LIFTED = 1.0
"""Baskets have two categories together at least so many times as often as by chance."""
_HELD_OUT, _ASKED = 5, 2_000
"""Every fifth set says whether the network is kept, by so many of their pairs at most."""


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
        kinds.insert(0, _of_sets(source, source.outfits, settings))
    slots = _slots(kinds, settings.slots)
    if not len(slots.items):
        raise NothingToRecall("no two categories are in one outfit, or often enough in one basket")
    nothing = ranked_lists(*(np.empty(0, np.int64),) * 3, source.catalogue.size + 1, 1)
    best_sold = _best_sold(source, settings.ruled)
    written = {
        SLOTS: slots.write(folder, SLOTS),
        OF_SETS: (kinds[0].items if source.outfits is not None else nothing).write(folder, OF_SETS),
        OF_BASKETS: baskets.items.write(folder, OF_BASKETS),
        BEST_SOLD: best_sold.write(folder, BEST_SOLD),
    }
    network = _network(source, settings, slots, baskets.items, best_sold)
    if network is not None:
        write_vectors(folder, NETWORK, network)
        written[NETWORK] = int(network.any(axis=1).sum())
    return written


def _network(
    source: BuildSource,
    settings: OutfitSettings,
    slots: ItemLists,
    of_baskets: ItemLists,
    best_sold: ItemLists,
) -> NDArray[np.float32] | None:
    """What a network of all sets makes of the items; None where there are too few, or it does not help."""
    sets, pictures, catalogue = source.outfits, source.pictures, source.catalogue
    if sets is None or pictures is None or not settings.network_from:
        return None
    rows, category = first_pictures(pictures.items, catalogue.size), np.asarray(catalogue.category)
    pairs = pairs_of(sets, category, (rows >= 0) & np.asarray(catalogue.in_stock))
    if len(np.unique(pairs.set)) < settings.network_from:
        return None
    held = pairs.set % _HELD_OUT == 0
    if held.all() or not held.any():
        return None
    taught = sets.number % _HELD_OUT != 0
    learned = OutfitSets(sets.number[taught], sets.item[taught])
    trained = train(pairs.take(~held), rows, pictures.vectors, catalogue, source.seed)
    of_sets = _of_sets(source, learned, settings).items
    random = np.random.default_rng(source.seed)
    asked = pairs.take(random.permutation(np.flatnonzero(held))[:_ASKED])
    without, by_looks = (
        _hits(
            Outfit(slots, {"sets": of_sets, "baskets": of_baskets}, best_sold, catalogue, settings, network),
            asked,
            category,
        )
        for network in (None, trained)
    )
    low, high = grouped_interval(by_looks - without, asked.set, random)
    logger.info(
        "of %d pairs of outfits held out, %.3f are among the %d items of their slot by looks, %.3f without "
        "(difference %.3f to %.3f, 95%%): the network is %s",
        len(asked.item),
        by_looks.mean(),
        settings.per_slot,
        without.mean(),
        low,
        high,
        "kept" if low > 0 else "left out",
    )
    return train(pairs, rows, pictures.vectors, catalogue, source.seed) if low > 0 else None


def _hits(outfit: Outfit, pairs: Pairs, category: NDArray[np.int32]) -> NDArray[np.float64]:
    """float64[m]: 1 where the other item is in its slot of the first one's outfit."""
    return np.array(
        [
            float(other in outfit.slot(item, int(category[other])).items)
            for item, other in zip(pairs.item.tolist(), pairs.other.tolist(), strict=True)
        ]
    )


def _of_sets(source: BuildSource, sets: OutfitSets, settings: OutfitSettings) -> _Together:
    return _together(source, _as_baskets(sets), settings, 1, 0.0)


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
