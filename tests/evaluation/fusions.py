"""Fusions of any shares, for the tests of tables and searches."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pipeline.stages import Fusion
from router.fusion.quota import QuotaFusion
from router.fusion.reciprocal_rank import ReciprocalRankFusion


def by_quota(shares: Mapping[str, float]) -> Fusion:
    return QuotaFusion(np.array(list(shares.values()), dtype=np.float64))


def by_reciprocal_rank(shares: Mapping[str, float]) -> Fusion:
    return ReciprocalRankFusion(np.array(list(shares.values()), dtype=np.float64), 1.0, {}, {})
