"""Real shoppers of the validation range: labelled candidates for AUC, long lists for the order."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exporters.input_cases import real_feeds
from exporters.runner import Feeds
from models.interaction_log import InteractionLog
from models.kind import ModelKind
from models.moments import Moments
from models.negatives import NegativeSampler
from models.samples import SamplePoints, cut_points
from models.settings import SampleSettings
from snapshot.dataset import Dataset
from triton_repo.contract import Contract

_SHOPPERS_PER_CALL = 16


@dataclass(frozen=True, slots=True)
class RankingSample:
    """Calls whose answers are judged.

    labelled: calls of several shoppers each, whose scores in turn belong to `labels` (bool[n]);
    lists: calls of one shopper and many distinct candidates each.
    """

    labelled: Sequence[Feeds]
    labels: NDArray[np.bool_]
    lists: Sequence[Feeds]

    def __bool__(self) -> bool:
        """Whether there is anything to judge by: both classes, and a list."""
        return bool(len(self.lists)) and bool(self.labels.any()) and not bool(self.labels.all())


def ranking_sample(
    kind: ModelKind,
    contract: Contract,
    dataset: Dataset,
    *,
    points: int,
    negatives: int,
    lists: int,
    list_candidates: int,
    seed: int,
) -> RankingSample:
    """Draws up to `points` moments of [valid_from, test_from) at which a shopper took something.

    Each has what was taken (label 1) beside `negatives` drawn as in training: popular, from the whole
    catalogue, from the shopper's own items and categories, so that telling them apart is hard. `lists` of
    them get up to `list_candidates` distinct candidates from the same draws. Empty where the range holds
    no such moment.
    """
    log = InteractionLog.from_dataset(dataset)
    cuts = dataset.manifest.cuts
    random = np.random.default_rng(seed)
    samples = SampleSettings()
    watched = (cuts.valid_from, cuts.test_from)
    at = cut_points(log, samples, watched, random, max_points=points, most_recent=False)
    if not len(at):
        return RankingSample((), np.zeros(0, bool), ())
    sampler = NegativeSampler.fit(log, samples.negative_sources, watched)
    drawn = np.concatenate((at.positives, sampler.draw(at, negatives, random)), axis=1)
    taken = np.zeros(drawn.shape, bool)
    taken[:, : at.positives.shape[1]] = True

    calls, labels = [], []
    for first in range(0, len(at), _SHOPPERS_PER_CALL):
        rows = np.arange(first, min(first + _SHOPPERS_PER_CALL, len(at)))
        present = drawn[rows] > 0
        row, _ = np.nonzero(present)
        calls.append(_feeds(kind, contract, log, dataset, at.select(rows), drawn[rows][present], row))
        labels.append(taken[rows][present])

    long = at.select(np.sort(random.choice(len(at), min(lists, len(at)), replace=False)))
    candidates = sampler.draw(long, 2 * list_candidates, random)
    offered = []
    for shopper, items in enumerate(candidates):
        distinct = _first_distinct(items)[:list_candidates]
        if len(distinct):
            one = long.select(np.array([shopper]))
            offered.append(
                _feeds(kind, contract, log, dataset, one, distinct, np.zeros(len(distinct), np.int64))
            )
    return RankingSample(calls, np.concatenate(labels), offered)


def _first_distinct(items: NDArray[np.int32]) -> NDArray[np.int32]:
    """The items but 0, each once, in the order in which they first come."""
    _, first = np.unique(items, return_index=True)
    kept = items[np.sort(first)]
    return kept[kept > 0]


def _feeds(
    kind: ModelKind,
    contract: Contract,
    log: InteractionLog,
    dataset: Dataset,
    points: SamplePoints,
    items: NDArray[np.int32],
    rows: NDArray[np.int64],
) -> Feeds:
    moments = Moments(
        log,
        dataset.catalogue,
        points.user,
        points.now,
        points.history_start,
        points.history_end,
        items.astype(np.int32),
        rows.astype(np.int32),
    )
    return real_feeds(kind, contract, moments)
