"""Graph_embedding's offline side: vectors of items by walks over the graph of sessions and by what items are.

Enhanced graph embedding with side information (Wang et al., KDD 2018): the vector of item v is

    H_v = Σ_s softmax(a + a_v)_s · W_s(v),   s = the item itself, each column of side information, its title

with vectors W_s shared by all items of a value, an attention a shared by all items and a part a_v of the
item's own. Pairs (v, u) of random walks are trained by skip-gram with negative sampling, which maximises
log σ(H_v·Z_u) + Σ log σ(−H_v·Z_n) over contexts Z. A part of the pairs leaves out the item's own vector and
attention, so that the vector of an item that no session has, which is made so, is learned and not left over.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recall.baskets import baskets_of
from recall.channel import BuildSource, NothingToRecall
from recall.graph_embedding_settings import GraphEmbeddingSettings
from recall.item_graph import ItemGraph, walk_contexts
from recall.item_parts import ItemParts
from recall.skip_gram import TOGETHER, trained


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
    centres, contexts = walk_contexts(walks, settings.window, TOGETHER, settings.max_pairs, rng)
    parts = ItemParts.of(
        source.catalogue, settings.side_information, settings.words, settings.tags, settings.word_items
    )
    import torch

    from recall.graph_embedding_network import ItemMixture

    def network(random: torch.Generator) -> ItemMixture:
        return ItemMixture(parts, settings.dimensions, random)

    with torch.sparse.check_sparse_tensor_invariants(enable=False):
        vectors = trained(centres, contexts, size, network, settings, settings.without_item, source.seed)
    seen = np.zeros(size + 1, np.bool_)
    seen[graph.items] = True
    vectors[~(seen | parts.known)] = 0
    vectors[0] = 0
    return vectors, sessions.counts(size)
