"""Graph_embedding's offline side: vectors of items by walks over the graph of sessions and by what items are.

Enhanced graph embedding with side information (Wang et al., KDD 2018): the vector of item v is

    H_v = Σ_s softmax(a + a_v)_s · W_s(v),   s = the item itself, each column of side information, its title

with vectors W_s shared by all items of a value, an attention a shared by all items and a part a_v of the
item's own. Pairs (v, u) of random walks are trained by skip-gram with negative sampling, which maximises
log σ(H_v·Z_u) + Σ log σ(−H_v·Z_n) over contexts Z. A part of the pairs leaves out the item's own vector and
attention, so that the vector of an item that no session has, which is made so, is learned and not left over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import faiss
import numpy as np
from numpy.typing import NDArray

from recall.baskets import Baskets, baskets_of
from recall.channel import BuildSource, NothingToRecall
from recall.graph_embedding_settings import GraphEmbeddingSettings
from recall.item_graph import ItemGraph, walk_contexts
from recall.item_parts import ItemParts
from recall.lists import ItemLists, ranked_lists
from recall.vector_index import make_index, search_parameters

if TYPE_CHECKING:
    import torch

_SHARED_NEGATIVES = 256
_TOGETHER = 8
_SEARCHED_AT_ONCE = 4_096


def item_vectors(
    source: BuildSource, settings: GraphEmbeddingSettings
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """float32[N + 1, D] of length 1, and the sessions int64[N + 1] that have each item.

    All zero for an item that no session has and of which nothing is known, and for row 0. Raises
    NothingToRecall where no session has two items.
    """
    size, rng = source.catalogue.size, np.random.default_rng(source.seed)
    sessions = baskets_of(source, settings)
    graph = ItemGraph.of(sessions, size, settings.reach, settings.backward_weight)
    if not graph.target.size:
        raise NothingToRecall("no session of the log has two items")
    walks = graph.walks(settings.walks_per_item, settings.walk_length, rng)
    centres, contexts = walk_contexts(walks, settings.window, _TOGETHER, settings.max_pairs, rng)
    parts = ItemParts.of(source.catalogue, settings.side_information, settings.words, settings.word_items)
    import torch

    with torch.sparse.check_sparse_tensor_invariants(enable=False):
        vectors = _trained(centres, contexts, parts, settings, source.seed)
    seen = np.zeros(size + 1, np.bool_)
    seen[graph.items] = True
    vectors[~(seen | parts.known)] = 0
    vectors[0] = 0
    return vectors, _sessions(sessions, size)


def nearest_items(
    vectors: NDArray[np.float32],
    sessions: NDArray[np.int64],
    in_stock: NDArray[np.bool_],
    settings: GraphEmbeddingSettings,
    seed: int,
) -> ItemLists:
    """The best in-stock neighbours of each item: cosine · (1 + sessions)^β, of those that are most alike.

    An item in no session counts as the others do on average: how many will take it is not known yet.
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


def _sessions(sessions: Baskets, size: int) -> NDArray[np.int64]:
    return sessions.counts(size)


def _trained(
    centres: NDArray[np.int32],
    contexts: NDArray[np.int32],
    parts: ItemParts,
    settings: GraphEmbeddingSettings,
    seed: int,
) -> NDArray[np.float32]:
    """Vectors float32[N + 1, D] of length 1, of every item."""
    import torch
    from torch.nn import functional

    from recall.graph_embedding_network import ItemMixture

    threads = torch.get_num_threads()
    torch.set_num_threads(settings.build_threads)
    try:
        random = torch.Generator().manual_seed(seed & 0x7FFFFFFF)
        network = ItemMixture(parts, settings.dimensions, random)
        optimiser = torch.optim.Adagrad(network.parameters(), lr=settings.learning_rate)
        frequency = np.bincount(contexts.ravel(), minlength=len(parts.columns)) ** settings.negative_exponent
        frequency[0] = 0
        chance = torch.from_numpy(np.cumsum(frequency / frequency.sum()).astype(np.float64))
        rows = max(settings.batch // _TOGETHER, 1)
        for start in range(0, len(centres), rows):
            centre = torch.from_numpy(centres[start : start + rows].astype(np.int64))
            context = torch.from_numpy(contexts[start : start + rows].astype(np.int64))
            alone = torch.rand(len(centre), generator=random) < settings.without_item
            negatives = torch.searchsorted(
                chance, torch.rand(_SHARED_NEGATIVES, generator=random, dtype=torch.float64)
            ).clamp(max=len(frequency) - 1)
            vectors = network(centre, alone)
            good = torch.einsum("bd,btd->bt", vectors, network.context(context))
            bad = vectors @ network.context(negatives).T
            loss = functional.softplus(-good).sum()
            loss = loss + settings.negatives * _TOGETHER * functional.softplus(bad).mean(dim=1).sum()
            optimiser.zero_grad()
            (loss / context.numel()).backward()
            optimiser.step()
        seen = torch.from_numpy(np.isin(np.arange(len(parts.columns)), np.append(centres, contexts)))
        return _normalised(network.every(~seen))
    finally:
        torch.set_num_threads(threads)


def _normalised(vectors: torch.Tensor) -> NDArray[np.float32]:
    made = vectors.numpy().astype(np.float32)
    length = np.linalg.norm(made, axis=1, keepdims=True)
    return np.asarray(np.divide(made, length, out=np.zeros_like(made), where=length > 0))
