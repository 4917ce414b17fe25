"""Item vectors by skip-gram with negative sampling, and the nearest items by them. Offline only.

For pairs (v, u) and drawn items n, the vectors H of a network and its contexts Z maximise

    log σ(H_v·Z_u) + Σ log σ(−H_v·Z_n)      (Mikolov et al. 2013)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

import faiss
import numpy as np
from numpy.typing import NDArray

from recall.item_vector_settings import ItemVectorSettings
from recall.lists import ItemLists, ranked_lists
from recall.unit_rows import unit_rows
from recall.vector_index import make_index, search_parameters

if TYPE_CHECKING:
    import torch

TOGETHER = 8
"""Contexts of one centre that are trained together."""
_SHARED_NEGATIVES = 256
_SEARCHED_AT_ONCE = 4_096


class ItemNetwork(Protocol):
    """What is trained: vectors of items, and of items as contexts."""

    def __call__(self, items: torch.Tensor, alone: torch.Tensor) -> torch.Tensor:
        """float32[b, D] of items int64[b]; `alone` bool[b]: by what they share with others only."""
        ...

    def context(self, items: torch.Tensor) -> torch.Tensor:
        """float32[..., D] of items int64[...] as contexts."""
        ...

    def every(self, alone: torch.Tensor) -> torch.Tensor:
        """float32[N + 1, D], the vectors of all items; `alone` bool[N + 1]."""
        ...

    def parameters(self) -> Iterator[Any]:
        """What is learned."""
        ...


def trained(
    centres: NDArray[np.int32],
    contexts: NDArray[np.int32],
    size: int,
    make: Callable[[torch.Generator], ItemNetwork],
    settings: ItemVectorSettings,
    without_item: float,
    seed: int,
) -> NDArray[np.float32]:
    """Vectors float32[N + 1, D] of length 1, of every item.

    Args:
        centres: int32[rows].
        contexts: int32[rows, TOGETHER], items beside each centre.
        size: N of the catalogue.
        make: the network, its starting values drawn from the generator.
        settings: how it is trained.
        without_item: part of the rows that are trained with what the item is alone.
        seed: of everything drawn.
    """
    import torch
    from torch.nn import functional

    threads = torch.get_num_threads()
    torch.set_num_threads(settings.build_threads)
    try:
        random = torch.Generator().manual_seed(seed & 0x7FFFFFFF)
        network = make(random)
        optimiser = torch.optim.Adagrad(network.parameters(), lr=settings.learning_rate)
        frequency = np.bincount(contexts.ravel(), minlength=size + 1) ** settings.negative_exponent
        frequency[0] = 0
        chance = torch.from_numpy(np.cumsum(frequency / frequency.sum()).astype(np.float64))
        rows = max(settings.batch // TOGETHER, 1)
        for start in range(0, len(centres), rows):
            centre = torch.from_numpy(centres[start : start + rows].astype(np.int64))
            context = torch.from_numpy(contexts[start : start + rows].astype(np.int64))
            alone = torch.rand(len(centre), generator=random) < without_item
            negatives = torch.searchsorted(
                chance, torch.rand(_SHARED_NEGATIVES, generator=random, dtype=torch.float64)
            ).clamp(max=len(frequency) - 1)
            vectors = network(centre, alone)
            good = torch.einsum("bd,btd->bt", vectors, network.context(context))
            bad = vectors @ network.context(negatives).T
            loss = functional.softplus(-good).sum()
            loss = loss + settings.negatives * TOGETHER * functional.softplus(bad).mean(dim=1).sum()
            optimiser.zero_grad()
            (loss / context.numel()).backward()
            optimiser.step()
        seen = torch.from_numpy(np.isin(np.arange(size + 1), np.append(centres, contexts)))
        return unit_rows(network.every(~seen).numpy().astype(np.float32))
    finally:
        torch.set_num_threads(threads)


def nearest_items(
    vectors: NDArray[np.float32],
    sessions: NDArray[np.int64],
    in_stock: NDArray[np.bool_],
    settings: ItemVectorSettings,
    seed: int,
) -> ItemLists:
    """The best in-stock neighbours of each item: cosine · (1 + sessions)^β, of those that are most alike.

    An item in no session counts as the others do on average: how many will take it is not known yet.

    Args:
        vectors: float32[N + 1, D] of length 1; a row of zeros is of an item that is not known.
        sessions: int64[N + 1], sessions with the item.
        in_stock: bool[N + 1], items that may be neighbours.
        settings: β is `popularity_exponent`; how the index is made and searched.
        seed: of the index.

    Returns:
        Lists of rows 0…N, best first; row 0, and that of an item that is not known, is empty.
    """
    known = np.any(vectors != 0, axis=1)
    found = np.flatnonzero(known & in_stock).astype(np.int32)
    faiss.omp_set_num_threads(settings.build_threads)
    index = make_index(vectors[found], settings, seed)
    weight = (1.0 + sessions) ** settings.popularity_exponent
    if (sessions > 0).any():
        weight[sessions == 0] = weight[sessions > 0].mean()
    near = min(2 * settings.neighbours + 1, found.size)
    asked = np.flatnonzero(known)
    rows, items, scores = [], [], []
    for start in range(0, asked.size, _SEARCHED_AT_ONCE):
        step = asked[start : start + _SEARCHED_AT_ONCE]
        alike, places = index.search(
            np.ascontiguousarray(vectors[step]), near, params=search_parameters(index, near, settings)
        )
        row = np.repeat(step, near)
        other = found[places.ravel()]
        # faiss fills up with −1 where it found fewer.
        kept = (places.ravel() >= 0) & (other != row) & (alike.ravel() > 0)
        rows.append(row[kept])
        items.append(other[kept])
        scores.append(alike.ravel()[kept] * weight[other[kept]])
    return ranked_lists(
        np.concatenate(rows), np.concatenate(items), np.concatenate(scores), len(vectors), settings.neighbours
    )
