"""The quality gate: what a form of the model loses against float32 on real shoppers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exporters.ranking_sample import RankingSample
from exporters.runner import Runner, first_output
from foundation.statistics.ranking_metrics import auc

NDCG_K = 50


@dataclass(frozen=True, slots=True)
class Answers:
    """Scores of one form: those of the labelled candidates, float32[n], and of each list, float32[m]."""

    labelled: NDArray[np.float32]
    lists: tuple[NDArray[np.float32], ...]


@dataclass(frozen=True, slots=True)
class QualityReport:
    """AUC on labelled candidates, how much lower it is than float32's, and NDCG@50 against its order.

    All three are NaN where a score is NaN or infinite: a NaN passes no gate.
    """

    auc: float
    auc_loss: float
    ndcg: float


def answers(run: Runner, sample: RankingSample) -> Answers:
    """Scores of the whole sample."""
    labelled = [first_output(run(feeds)) for feeds in sample.labelled]
    return Answers(np.concatenate(labelled), tuple(first_output(run(feeds)) for feeds in sample.lists))


def judge(sample: RankingSample, reference: Answers, found: Answers) -> QualityReport:
    """Compares the answers of one form with float32's on the same sample."""
    if not all(np.isfinite(scores).all() for scores in (found.labelled, *found.lists)):
        return QualityReport(float("nan"), float("nan"), float("nan"))
    area = auc(sample.labels, found.labelled)
    return QualityReport(
        area,
        auc(sample.labels, reference.labelled) - area,
        float(np.mean([order_ndcg(a, b) for a, b in zip(reference.lists, found.lists, strict=True)])),
    )


def order_ndcg(reference: NDArray[np.float32], found: NDArray[np.float32], k: int = NDCG_K) -> float:
    """NDCG@k of the order by `found` where the order by `reference` is the ideal one; float[m] each.

    With r(i) the rank of candidate i by `reference` (1 = best), its gain is max(0, k + 1 − r(i)): k for the
    best, 1 for the k-th, 0 for all behind. DCG sums gain / log2(1 + place) over the first k places by
    `found` (Järvelin and Kekäläinen 2002), and is divided by the DCG of the reference's own order. Gains go
    by rank, not by score, so that a form cannot pass because all scores are alike. Ties keep the
    candidates' order in both.
    """
    ideal, new = (np.argsort(-scores, kind="stable") for scores in (reference, found))
    gain = np.zeros(len(reference))
    top = min(k, len(reference))
    gain[ideal[:top]] = np.arange(k, k - top, -1)
    discount = 1 / np.log2(np.arange(2, top + 2))
    return float((gain[new[:top]] * discount).sum() / (gain[ideal[:top]] * discount).sum())


def losses(report: QualityReport, *, maximum_auc_loss: float, minimum_ndcg: float) -> Sequence[str]:
    """What the form loses too much of, one phrase each; empty where it passes."""
    found = []
    if not report.auc_loss <= maximum_auc_loss:
        found.append(f"AUC loss {report.auc_loss:.5f} is above {maximum_auc_loss:g}")
    if not report.ndcg >= minimum_ndcg:
        found.append(f"NDCG@{NDCG_K} {report.ndcg:.5f} is below {minimum_ndcg:g}")
    return found
