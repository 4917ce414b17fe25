"""One small network with four losses: of each grade, of pairs, and of lists."""

from __future__ import annotations

from collections.abc import Callable

from evaluation.rankers.ranker import RankerKind, Scores
from models.rankers.examples import Ranges
from models.rankers.losses import Loss, lambda_rank, pointwise, rank_net, softmax
from models.rankers.mlp import fit_mlp
from models.rankers.settings import MlpNetworkSettings, ranker_training

TRAINING = ranker_training()


def _fit(loss: Loss) -> Callable[[Ranges, int], Scores]:
    def fit(ranges: Ranges, seed: int) -> Scores:
        training = TRAINING.model_copy(update={"seed": seed})
        network, _ = fit_mlp(ranges, loss, MlpNetworkSettings(), training)
        return network.scores

    return fit


POINTWISE = RankerKind("pointwise", _fit(pointwise))
RANK_NET = RankerKind("pairwise", _fit(rank_net))
LAMBDA_RANK = RankerKind("pairwise", _fit(lambda_rank))
SOFTMAX = RankerKind("listwise", _fit(softmax))
