"""Naive Bayes: how likely an item is, given each of the shopper's items by itself. A plain reference form.

    score(j) = log P(j) + Σ over the shopper's items i  w_i · log P(i | j) / P(i)
    P(i | j) = (n_ij + m · P(i)) / (n_j + m),   P(i) = n_i / shoppers

with n_ij the shoppers who took both, w_i weights that fall along the history (`recall.evidence`), and m the
strength of the prior. As log P(i|j)/P(i) = log(1 + n_ij / (m · P(i))) − log(1 + n_j / m), what pairs add is a
table of neighbours, and what is left depends on j alone.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from recall.channel import BuildSource, ChannelKind, OptionalChannelSettings, Recalled, Services
from recall.evidence import EvidenceSettings, evidence_of
from recall.lists import ItemLists
from recall.merge import merge_by_item, top_positions
from recall.query import Query
from snapshot.catalogue import Catalogue
from snapshot.columns import load_column, save_column

NAME = "naive_bayes"
PAIRS, PRIOR, SPREAD = "pairs", "log_prior", "log_spread"
_ROWS_PER_BLOCK = 512


class NaiveBayesSettings(EvidenceSettings, OptionalChannelSettings):
    """How likely each item is by what shoppers took together, the shopper's items taken as independent."""

    max_items: int = Field(
        default=20_000, ge=2, le=200_000, description="Items that take part, those that most shoppers took."
    )
    prior: float = Field(default=20.0, gt=0, description="m, the prior's strength in shoppers.")
    neighbours: int = Field(default=300, ge=1, le=10_000, description="Pairs kept per item.")
    items_per_user: int = Field(
        default=300, ge=1, le=10_000, description="Latest distinct items of a shopper that are counted."
    )


class NaiveBayes:
    """Sums log-likelihoods over the shopper's latest items."""

    name = NAME

    def __init__(
        self,
        pairs: ItemLists,
        log_prior: NDArray[np.float32],
        log_spread: NDArray[np.float32],
        settings: NaiveBayesSettings,
    ) -> None:
        """`pairs`: from each item, N + 1 rows; `log_prior`: log P(j); `log_spread`: log(1 + n_j / m)."""
        self._pairs, self._log_prior, self._log_spread = pairs, log_prior, log_spread
        self._settings = settings

    async def recall(self, query: Query, k: int) -> Recalled:
        """The k likeliest items of those taken with any of the shopper's; scores are log-odds of a kind.

        Each names what contributed most. Empty without a history.
        """
        causes, weights = evidence_of(query, self._settings)
        items, added, source = self._pairs.gather(causes)
        every = merge_by_item(items, added * weights[source], causes[source], len(items), "sum")
        scores = every.scores + self._log_prior[every.items] - weights.sum() * self._log_spread[every.items]
        best = top_positions(scores, every.items, k)
        return Recalled(every.items[best], scores[best].astype(np.float32), every.triggers[best])


def build(source: BuildSource, folder: Path, settings: NaiveBayesSettings) -> dict[str, int]:
    """Write the pairs and what depends on items alone; returns the pairs.

    Raises NothingToRecall where no shopper took two items.
    """
    from recall.lists import best_of_each_row, ranked_lists
    from recall.taken_matrix import TakenMatrix

    taken = TakenMatrix.of(source, settings.max_items, settings.items_per_user)
    matrix, size = taken.presence, source.catalogue.size
    count = np.asarray(matrix.sum(axis=0)).ravel()
    share = count / matrix.shape[0]
    wanted = source.catalogue.in_stock[taken.items]
    rows: list[NDArray[np.integer]] = [np.empty(0, np.int64)]
    items: list[NDArray[np.integer]] = [np.empty(0, np.int64)]
    added: list[NDArray[np.floating]] = [np.empty(0, np.float64)]
    by_item = matrix.T.tocsr()
    for start in range(0, len(taken.items), _ROWS_PER_BLOCK):
        together = (by_item[start : start + _ROWS_PER_BLOCK] @ matrix).tocsr()
        row = start + np.repeat(np.arange(together.shape[0]), np.diff(together.indptr))
        other = together.indices
        score = np.log1p(together.data / (settings.prior * share[row]))
        score[(row == other) | ~wanted[other]] = 0
        best = best_of_each_row(together.indptr, score, settings.neighbours)
        rows.append(taken.items[row[best]])
        items.append(taken.items[other[best]])
        added.append(score[best])
    pairs = ranked_lists(
        np.concatenate(rows), np.concatenate(items), np.concatenate(added), size + 1, settings.neighbours
    )
    log_prior, log_spread = np.full(size + 1, -50.0), np.zeros(size + 1)
    log_prior[taken.items] = np.log(share)
    log_spread[taken.items] = np.log1p(count / settings.prior)
    save_column(folder, PRIOR, log_prior.astype(np.float32))
    save_column(folder, SPREAD, log_spread.astype(np.float32))
    return {PAIRS: pairs.write(folder, PAIRS)}


def open_channel(
    folder: Path, catalogue: Catalogue, services: Services, settings: NaiveBayesSettings
) -> NaiveBayes:
    """Memory-map the tables of `build`. Raises SnapshotError where they are torn or do not fit."""
    pairs = ItemLists.open(folder, PAIRS, catalogue.size + 1)
    prior, spread = (
        load_column(folder, name, np.dtype(np.float32), catalogue.size + 1) for name in (PRIOR, SPREAD)
    )
    return NaiveBayes(pairs, prior, spread, settings)


CHANNEL = ChannelKind(settings=NaiveBayesSettings, build=build, open=open_channel, waits=False)
