"""What completes an item with few neighbours: hot items of its category and of related ones. Offline only."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recall.completion_settings import CompletionSettings
from recall.growing_lists import GrowingLists
from recall.interactions import Interactions
from recall.lists import ItemLists, ranked_lists
from snapshot import log_parts
from snapshot.catalogue import Catalogue
from snapshot.log_parts import run_slices, sums_by


def category_completion(
    taken: Interactions, catalogue: Catalogue, settings: CompletionSettings, scale: float
) -> ItemLists:
    """Hot items of each category 1…count and of its related ones; row 0 is empty.

    An item's score is the similarity of the two categories (1 for the category itself) times its share of its
    own category's hottest item, on the scale `category_weight · scale`.
    """
    categories = catalogue.category_count
    heat = sums_by(taken.item, lambda rows: taken.score[rows], catalogue.size + 1)
    heat[~catalogue.in_stock] = 0
    hot = np.flatnonzero(heat)
    hottest = ranked_lists(catalogue.category[hot], hot, heat[hot], categories + 1, settings.category_items)
    row, related, similarity = _related_categories(taken, catalogue, settings.related_categories)
    items, scores, source_row = hottest.gather(related)
    best = np.zeros(categories + 1)
    np.maximum.at(best, catalogue.category[items], scores)
    share = scores / best[catalogue.category[items]]
    return ranked_lists(
        row[source_row],
        items,
        settings.category_weight * scale * similarity[source_row] * share,
        categories + 1,
        settings.category_items,
    )


def _related_categories(
    taken: Interactions, catalogue: Catalogue, limit: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Category, related category and their cosine over shoppers; a category's first one is itself."""
    count = catalogue.category_count
    own = np.arange(1, count + 1)
    matrix = _by_shopper(taken, catalogue)
    norm = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=0)).ravel())
    by_category, found = matrix.T.tocsr(), GrowingLists()
    # Row by row of a matrix of all categories with all, which a large shop's fill.
    step = max(1, log_parts.ROWS_AT_ONCE // (count + 1))
    for start in range(0, count + 1, step):
        stop = min(start + step, count + 1)
        shared = (by_category[start:stop] @ matrix).tocoo()
        other = shared.row + start != shared.col
        row, related = shared.row[other], shared.col[other]
        cosine = shared.data[other] / (norm[row + start] * norm[related])
        found.add(ranked_lists(row, related, cosine, stop - start, limit))
    closest = found.lists()
    closest_row = np.repeat(np.arange(count + 1), np.diff(closest.offsets))
    return (
        np.r_[own, closest_row],
        np.r_[own, closest.items],
        np.r_[np.ones(count), closest.scores],
    )


def _by_shopper(taken: Interactions, catalogue: Catalogue) -> sp.csr_matrix:
    """float64[shoppers, categories + 1]: the sum of scores of what each shopper took of each category."""
    categories = catalogue.category_count
    parts, first = [], 0
    for rows in run_slices(taken.user):
        after = int(taken.user[rows][-1:].max(initial=0)) + 1
        category = catalogue.category[taken.item[rows]]
        known = category > 0
        score, user = taken.score[rows][known].astype(np.float64), taken.user[rows][known] - first
        parts.append(sp.csr_matrix((score, (user, category[known])), (after - first, categories + 1)))
        first = after
    return sp.vstack(parts, format="csr")


def typical_best_score(neighbours: ItemLists) -> float:
    """The median of the best neighbours' scores; 1 where nothing has a neighbour."""
    first = neighbours.offsets[:-1][np.diff(neighbours.offsets) > 0]
    return float(np.median(neighbours.scores[first])) if len(first) else 1.0
