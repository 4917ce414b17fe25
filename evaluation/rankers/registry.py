"""Every batch ranker by name. A new one is a file beside this one and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from evaluation.rankers import (
    cross_network,
    deep_fm,
    interest_network,
    linear,
    mlp,
    polynomial,
    sequence_transformer,
    trees,
    two_towers,
    wide_deep,
)
from evaluation.rankers.ranker import RankerKind

RANKERS: Mapping[str, RankerKind] = {
    "LR, L1": linear.L1,
    "LR, L2": linear.L2,
    "LR, elastic net": linear.ELASTIC_NET,
    "polynomial, by correlation": polynomial.RANKER,
    "random forest": trees.RANDOM_FOREST,
    "boosted trees": trees.BOOSTED,
    "LambdaMART": trees.LAMBDA_MART,
    "XE-NDCG trees": trees.XE_NDCG,
    "MLP": mlp.POINTWISE,
    "MLP, RankNet": mlp.RANK_NET,
    "MLP, LambdaRank": mlp.LAMBDA_RANK,
    "MLP, softmax": mlp.SOFTMAX,
    "two towers": two_towers.RANKER,
    "WDL": wide_deep.RANKER,
    "DeepFM": deep_fm.RANKER,
    "DCN": cross_network.RANKER,
    "DIN": interest_network.RANKER,
    "BST": sequence_transformer.RANKER,
    "BST, hard negatives": sequence_transformer.WITH_HARD_NEGATIVES,
}
