"""Item_units' offline side: vectors of what items are, without one of an item's own.

An item's vector is the mean of its units, which other items share: values of its columns, its selling points,
and its title by attention (`recall.item_units_network`). Units are trained by skip-gram over sessions that
end with a purchase or a pause; occurrences of popular items are thinned, negatives are drawn ∝ frequency^.75.
What is learned of a unit holds for every item that has it, for one listed a minute ago too.
"""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import NDArray

from recall.baskets import purchases_alone
from recall.channel import BuildSource, NothingToRecall
from recall.item_graph import walk_contexts
from recall.item_parts import ItemParts
from recall.item_units_settings import ItemUnitsSettings
from recall.search.words import terms_of
from recall.selling_points import found_point_codes, point_codes
from recall.skip_gram import TOGETHER, trained
from recall.titles.agreement import ALL
from recall.titles.tagger import learn_tagger
from recall.unit_sessions import thinned, unit_sessions

_LOG = logging.getLogger(__name__)


def item_vectors(
    source: BuildSource, settings: ItemUnitsSettings
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """float32[N + 1, D] of length 1, and how often int64[N + 1] each item occurs in sessions.

    All zero for an item of which nothing is known, and for row 0. Raises NothingToRecall where nothing is
    known of any item, or no session has enough items.
    """
    catalogue, rng = source.catalogue, np.random.default_rng(source.seed)
    size = catalogue.size
    parts = ItemParts.of(
        catalogue, settings.side_information, settings.words, settings.tags, settings.word_items
    )
    if not parts.known.any():
        raise NothingToRecall("nothing is known of the items but their ids")
    purchases = purchases_alone(source, settings)
    sessions = unit_sessions(source, settings.session_gap_minutes, cut_on_purchase=not purchases)
    occurrences = np.bincount(sessions.ravel(), minlength=size + 1)
    occurrences[0] = 0
    sessions = thinned(np.where(parts.known[sessions], sessions, 0), settings.popular_threshold, rng)
    centres, contexts = walk_contexts(sessions, settings.window, TOGETHER, settings.max_pairs, rng)
    if not centres.size:
        raise NothingToRecall(f"no item has {TOGETHER} known others near it in sessions")
    points, count = _points(source, settings)
    import torch

    from recall.item_units_network import ItemUnits

    def network(random: torch.Generator) -> ItemUnits:
        return ItemUnits(parts, points, count, settings.dimensions, random)

    with torch.sparse.check_sparse_tensor_invariants(enable=False):
        vectors = trained(centres, contexts, size, network, settings, 1.0, source.seed)
    vectors[~parts.known] = 0
    vectors[0] = 0
    return vectors, occurrences


def _points(source: BuildSource, settings: ItemUnitsSettings) -> tuple[NDArray[np.int32], int]:
    """Codes int32[N + 1, selling_points] of the items' selling points, 0 = no more, and their number."""
    titles = ["", *source.catalogue.texts("title", np.arange(1, source.catalogue.size + 1))]
    if source.tagged_titles is None or not settings.selling_points:
        spelled = [terms_of(title) for title in titles]
        return point_codes(spelled, settings.point_items, settings.point_lift, settings.selling_points)
    tagger = learn_tagger(source.tagged_titles, settings.tagger, source.seed)
    for kind, counts in tagger.agreement.items():
        _LOG.info(
            "selling points%s: F1 %.3f of %d in %d held-out titles; learned of %d",
            f" {kind}" if kind != ALL else "",
            counts.f1,
            counts.tagged,
            tagger.held_out,
            tagger.learned,
        )
    return found_point_codes(tagger.points(titles), settings.point_items, settings.selling_points)
