"""Random forest, boosted trees, and boosted trees that learn orders: LambdaMART and XE-NDCG."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from evaluation.rankers.ranker import RankerKind, Scores
from models.rankers.examples import Examples, Float64, Ranges
from models.rankers.forest import fit_forest
from models.rankers.settings import ForestNetworkSettings

_TREES = 400
_PATIENCE = 30


def random_forest(ranges: Ranges, seed: int) -> Scores:
    """Regression of the grade (Breiman 2001)."""
    return fit_forest(ranges, ForestNetworkSettings(), seed).scores


def _boosted(**objective: Any) -> Callable[[Ranges, int], Scores]:
    def fit(ranges: Ranges, seed: int) -> Scores:
        import lightgbm

        parameters = {
            "learning_rate": 0.05,
            "num_leaves": 31,
            "min_data_in_leaf": 20,
            "feature_fraction": 0.8,
            "bagging_fraction": 0.8,
            "bagging_freq": 1,
            "lambda_l2": 1.0,
            "seed": seed,
            "deterministic": True,
            "num_threads": 1,
            "verbosity": -1,
            "metric": "ndcg",
            "eval_at": [10],
            **objective,
        }
        train, valid = (
            lightgbm.Dataset(part.inputs, part.grades, group=part.sizes, free_raw_data=False)
            for part in (ranges.train, ranges.valid)
        )
        stop = lightgbm.early_stopping(_PATIENCE, verbose=False)
        model = lightgbm.train(parameters, train, _TREES, valid_sets=[valid], callbacks=[stop])

        def scores(examples: Examples) -> Float64:
            return np.asarray(model.predict(examples.inputs, num_threads=1), np.float64)

        return scores

    return fit


RANDOM_FOREST = RankerKind("pointwise", random_forest)
BOOSTED = RankerKind("pointwise", _boosted(objective="regression"))
LAMBDA_MART = RankerKind("listwise", _boosted(objective="lambdarank", lambdarank_truncation_level=20))
"""LambdaMART (Burges 2010): lambdas of pairs, weighted by what swapping them changes in NDCG."""
XE_NDCG = RankerKind("listwise", _boosted(objective="rank_xendcg"))
"""A cross entropy over the list that bounds NDCG (Bruch 2021)."""
