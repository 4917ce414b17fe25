"""Logistic regression with an L1, an L2 or an elastic-net penalty, whose strength the validation chooses."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from evaluation.rankers.ranker import RankerKind, Scores
from models.rankers.examples import Examples, Float64, Ranges
from models.rankers.measure import mean_ndcg
from models.rankers.standardised import Standardised

_STRENGTHS = (0.003, 0.03, 0.3)
"""Inverse strengths of the penalty that are tried."""
_SOLVERS = {0.0: "lbfgs", 1.0: "liblinear"}


def _fit(l1_ratio: float) -> Callable[[Ranges, int], Scores]:
    def fit(ranges: Ranges, seed: int) -> Scores:
        from sklearn.linear_model import LogisticRegression

        scaled = Standardised.of(ranges.train)
        inputs, labels = scaled(ranges.train), ranges.train.relevant
        best: tuple[float, Float64, float] | None = None
        for strength in _STRENGTHS:
            model = LogisticRegression(
                C=strength,
                l1_ratio=l1_ratio,
                solver=_SOLVERS.get(l1_ratio, "saga"),
                tol=1e-2,
                max_iter=100,
                random_state=seed,
            ).fit(inputs, labels)
            weights, bias = model.coef_[0].astype(np.float64), float(model.intercept_[0])
            reached = mean_ndcg(ranges.valid, scaled(ranges.valid) @ weights + bias)
            if best is None or reached > best[0]:
                best = reached, weights, bias
        assert best is not None
        _, weights, bias = best

        def scores(examples: Examples) -> Float64:
            return np.asarray(scaled(examples) @ weights + bias, np.float64)

        return scores

    return fit


L1 = RankerKind("pointwise", _fit(1.0))
L2 = RankerKind("pointwise", _fit(0.0))
ELASTIC_NET = RankerKind("pointwise", _fit(0.5))
