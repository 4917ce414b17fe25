"""Sampled softmax with the log-frequency correction.

Bengio and Senécal 2008; as "logQ" in Yi et al. 2019 (RecSys, sampling-bias-corrected neural modeling).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from models.training_loop import weighted_mean
from models.transformer import MASKED


@dataclass(frozen=True, slots=True)
class FrequencySampler:
    """Draws items ∝ (frequency + smoothing)^power, so that items without an event can be negatives too.

    cumulative: float64[N+1]; log_share: float32[N+1], log of each item's chance in one draw.
    """

    cumulative: np.ndarray
    log_share: np.ndarray

    @classmethod
    def fit(cls, frequency: np.ndarray, power: float, smoothing: float) -> FrequencySampler:
        """frequency: int64[N+1], events of each item in training; item 0 is never drawn."""
        weight = (frequency.astype(np.float64) + smoothing) ** power
        weight[0] = 0
        share = weight / weight.sum()
        log_share = np.log(np.maximum(share, 1e-12)).astype(np.float32)
        return cls(np.cumsum(share), log_share)

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """int64[count] items."""
        drawn = np.searchsorted(self.cumulative, rng.random(count), side="right")
        return np.minimum(drawn, len(self.cumulative) - 1)


def sampled_softmax_loss(
    positive: Tensor,
    negative: Tensor,
    log_share: Tensor,
    targets: Tensor,
    negatives: Tensor,
    weights: Tensor | None = None,
) -> Tensor:
    """Mean cross-entropy of each target against negatives shared by the batch.

    positive: float32[m], logits of the targets; negative: float32[m, M], logits of the shared negatives;
    log_share: float32[N+1], log chance of each item in one draw; targets: int64[m]; negatives: int64[M];
    weights: float32[m], how much each target counts, None = 1 each.
    Each logit is lessened by the log of how often its item is expected among the M draws. A negative equal to
    its row's target is left out.
    """
    expected = log_share + float(np.log(len(negatives)))
    positive = positive - expected[targets]
    negative = negative - expected[negatives][None, :]
    negative = torch.where(targets[:, None] == negatives[None, :], MASKED, negative)
    losses = torch.logsumexp(torch.cat((positive[:, None], negative), dim=1), dim=1) - positive
    return weighted_mean(losses, weights)
