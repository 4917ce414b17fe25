"""The ranking table: the same sampled candidates scored by popularity, item-CF and BST."""

from __future__ import annotations

import numpy as np

from evaluation.baselines import ItemCf, popularity_scores
from evaluation.calibration import fit_platt
from evaluation.errors import EvaluationError
from evaluation.settings import EvaluationSettings
from features.history import HISTORY_LENGTH
from foundation.statistics.ranking_metrics import auc, gauc, hit_rate, log_loss, ndcg
from models.bst import Bst
from models.interaction_log import InteractionLog
from models.negatives import NegativeSampler
from models.samples import SamplePoints, cut_points, flat_slices
from models.settings import SampleSettings
from models.train_bst import LabelledPoints, score_points, with_candidates
from snapshot.manifest import Cuts

FOREVER = 2**33


def ranking_table(
    log: InteractionLog, cuts: Cuts, bst: Bst, item_cf: ItemCf, settings: EvaluationSettings
) -> dict[str, dict[str, float]]:
    """Row → column → value, for the rows popularity, item_cf and bst on points from `cuts.test_from` on.

    All three see the same histories (the latest 50 behaviours strictly before the point) and the same
    candidates. GAUC is by shopper. For log loss all scores become probabilities by Platt scaling on points of
    [valid_from, test_from), since the share of positives among sampled candidates is arbitrary.

    Raises EvaluationError where one of the two ranges holds no sample point.
    """
    rng = np.random.default_rng(settings.seed)
    samples = SampleSettings(
        positives=settings.ranking_positives,
        negatives=settings.ranking_negatives,
        negative_sources=settings.negative_sources,
    )
    ranges = {"validation": (cuts.valid_from, cuts.test_from), "test": (cuts.test_from, FOREVER)}
    labelled = {}
    for name, time_range in ranges.items():
        points = cut_points(
            log, samples, time_range, rng, max_points=settings.ranking_points, most_recent=False
        )
        if not len(points):
            raise EvaluationError(
                f"the {name} range {time_range} holds no sample point; move the data set's cuts"
            )
        sampler = NegativeSampler.fit(log, settings.negative_sources, time_range)
        labelled[name] = with_candidates(points, sampler, settings.ranking_negatives, rng)

    popularity = popularity_scores(log.behaviours, log.items, cuts.test_from)
    rows = {
        "popularity": {name: np.log1p(popularity[cut.items]) for name, cut in labelled.items()},
        "item_cf": {name: item_cf_scores(item_cf, log, cut) for name, cut in labelled.items()},
        "bst": {name: score_points(bst, log, cut) for name, cut in labelled.items()},
    }
    table = {}
    for row, scores in rows.items():
        present = labelled["validation"].items > 0
        to_probability = fit_platt(labelled["validation"].labels[present], scores["validation"][present])
        table[row] = _measure(
            labelled["test"], scores["test"], to_probability(scores["test"]), settings.ranking_k
        )
    return table


def item_cf_scores(item_cf: ItemCf, log: InteractionLog, labelled: LabelledPoints) -> np.ndarray:
    """float64[S, C]: item-CF's scores of the candidates from the history a model sees, log-scaled.

    The logarithm keeps the order and makes the scores fit for Platt scaling.
    """
    scores = np.zeros(labelled.items.shape)
    for start in range(0, len(labelled.points), 256):
        rows = slice(start, start + 256)
        items, ts, offsets = visible_history(
            log, labelled.points.select(np.arange(len(labelled.points))[rows])
        )
        dense = item_cf.scores(items, ts, offsets, labelled.points.now[rows])
        scores[rows] = np.take_along_axis(dense, labelled.items[rows], axis=1)
    return np.log(scores + 1e-9)


def visible_history(
    log: InteractionLog, points: SamplePoints, length: int = HISTORY_LENGTH
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Flat items int32[h], times int64[h] and offsets int64[S+1]: the latest `length` behaviours of each."""
    start = np.maximum(points.history_start, points.history_end - length)
    lengths = points.history_end - start
    positions = flat_slices(start, lengths)
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    return log.behaviours.item[positions], log.behaviours.ts[positions], offsets


def _measure(
    labelled: LabelledPoints, scores: np.ndarray, probabilities: np.ndarray, k: int
) -> dict[str, float]:
    present = labelled.items > 0
    label = labelled.labels[present]
    user = np.broadcast_to(labelled.points.user[:, None], present.shape)[present]
    # Ties are broken by the candidates' order, which must not put the positives first.
    shuffled = np.random.default_rng(0).permuted(
        np.tile(np.arange(scores.shape[1]), (len(scores), 1)), axis=1
    )
    masked = np.take_along_axis(np.where(present, scores, -np.inf), shuffled, axis=1)
    order = np.take_along_axis(shuffled, np.argsort(-masked, axis=1, kind="stable"), axis=1)
    hits = np.take_along_axis(labelled.labels.astype(bool) & present, order, axis=1)
    targets = hits.sum(1)
    return {
        "auc": auc(label, scores[present]),
        "gauc": gauc(label, scores[present], user),
        "log_loss": log_loss(label, probabilities[present]),
        f"hr@{k}": float(hit_rate(hits, k).mean()),
        f"ndcg@{k}": float(ndcg(hits, targets, k).mean()),
    }
