"""Whether a scene's scores are probabilities: what shoppers took beside what the scores predict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foundation.statistics.bootstrap import ratio_interval

BINS = 10
COLUMNS = ("n", "predicted", "observed", "ratio", "low", "high", "ece")


@dataclass(frozen=True, slots=True)
class ScoredCandidates:
    """Every ranked candidate of some shoppers, as the scene's pipeline scored it.

    shopper: int[n], who was asked for; score: float[n]; taken: bool[n], whether the shopper took it.
    """

    shopper: NDArray[np.integer]
    score: NDArray[np.floating]
    taken: NDArray[np.bool_]

    @classmethod
    def of(
        cls,
        candidates: Sequence[tuple[NDArray[np.int32], NDArray[np.float32]]],
        targets: Sequence[NDArray[np.int32]],
    ) -> ScoredCandidates:
        """Of each shopper's (items, scores) and the items that they took."""
        return cls(
            np.repeat(np.arange(len(candidates)), [len(items) for items, _ in candidates]),
            np.concatenate([np.empty(0, np.float32), *(scores for _, scores in candidates)]),
            np.concatenate(
                [
                    np.empty(0, np.bool_),
                    *(np.isin(items, wanted) for (items, _), wanted in zip(candidates, targets, strict=True)),
                ]
            ),
        )

    def are_probabilities(self) -> bool:
        """Whether there are scores, and all that are numbers lie within 0 and 1.

        Not where every shopper's best has exactly 1: those are relative, as scores of the scorer `anchor`.
        """
        numbers = np.isfinite(self.score)
        known, shopper = self.score[numbers], self.shopper[numbers]
        if not len(known) or known.min() < 0 or known.max() > 1:
            return False
        # As many shoppers have a best of 1 as have candidates at all.
        return bool(np.unique(shopper[known == 1]).size < np.unique(shopper).size)


def reliability_rows(scene: str, scored: ScoredCandidates, seed: int) -> dict[str, dict[str, float]]:
    """A row for each tenth of the candidates by score, the lowest first, and one for all of them.

    Args:
        scene: begins the name of each row.
        scored: the candidates; those whose score is no number are left out.
        seed: of the bootstrap.

    The columns:
        n: candidates.
        predicted: mean score.
        observed: part of them that was taken.
        ratio: observed / predicted; 1 where scores mean what they say.
        low, high: its 95 % bootstrap interval over shoppers.
        ece: of all, the expected calibration error: |observed − predicted| of the tenths, by their number of
            candidates. NaN in the rows of the tenths.
    """
    known = np.flatnonzero(np.isfinite(scored.score))
    order = known[np.argsort(scored.score[known], kind="stable")]
    rows: dict[str, dict[str, float]] = {}
    error = 0.0
    for number, part in enumerate(np.array_split(order, BINS), start=1):
        if len(part):
            row = _row(scored, part, seed)
            rows[f"{scene}, tenth {number}"] = row
            error += len(part) / len(order) * abs(row["observed"] - row["predicted"])
    if len(order):
        rows[f"{scene}, all"] = _row(scored, order, seed) | {"ece": error}
    return rows


def _row(scored: ScoredCandidates, part: NDArray[np.intp], seed: int) -> dict[str, float]:
    shopper, score, taken = scored.shopper[part], scored.score[part].astype(np.float64), scored.taken[part]
    predicted, observed = float(score.mean()), float(taken.mean())
    low, high = ratio_interval(taken, score, shopper, np.random.default_rng(seed))
    return {
        "n": float(len(part)),
        "predicted": predicted,
        "observed": observed,
        "ratio": observed / predicted if predicted else float("nan"),
        "low": low,
        "high": high,
        "ece": float("nan"),
    }
