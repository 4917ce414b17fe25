"""Real shoppers of the validation range: labelled candidates for AUC, long lists for the order."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exporters.input_cases import Feeds
from features.context import encode_context_batch
from features.history import HISTORY_LENGTH, encode_history_batch
from models.interaction_log import InteractionLog
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
        calls.append(_feeds(contract, log, at.select(rows), drawn[rows][present], row))
        labels.append(taken[rows][present])

    long = at.select(np.sort(random.choice(len(at), min(lists, len(at)), replace=False)))
    candidates = sampler.draw(long, 2 * list_candidates, random)
    offered = []
    for shopper, items in enumerate(candidates):
        distinct = _first_distinct(items)[:list_candidates]
        if len(distinct):
            one = long.select(np.array([shopper]))
            offered.append(_feeds(contract, log, one, distinct, np.zeros(len(distinct), np.int64)))
    return RankingSample(calls, np.concatenate(labels), offered)


def _first_distinct(items: NDArray[np.int32]) -> NDArray[np.int32]:
    """The items but 0, each once, in the order in which they first come."""
    _, first = np.unique(items, return_index=True)
    kept = items[np.sort(first)]
    return kept[kept > 0]


def _feeds(
    contract: Contract,
    log: InteractionLog,
    points: SamplePoints,
    items: NDArray[np.int32],
    rows: NDArray[np.int64],
) -> Feeds:
    events = log.behaviours
    history = encode_history_batch(
        events.item,
        events.event,
        events.ts,
        points.history_start,
        points.history_end,
        points.now,
        HISTORY_LENGTH,
    )
    columns = {
        **dict(zip(("history_item", "history_event", "history_age"), history, strict=True)),
        "profile": log.profile[points.user],
        "context": encode_context_batch(points.now),
        "candidate_item": items,
        "candidate_row": rows,
    }
    return {name: np.ascontiguousarray(columns[name], dtype=np.int32) for name in contract.inputs}
