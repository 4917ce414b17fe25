"""Losses of lists of candidates: of each grade, of pairs, and of the whole list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from models.rankers.measure import K

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Of scores float32[b, c], grades float32[b, c] and bool[b, c], which cells are candidates."""


class WeighedLoss(Protocol):
    """A loss that counts candidates by weights float32[b, c]; None: 1 each."""

    def __call__(
        self, scores: Tensor, grades: Tensor, present: Tensor, weights: Tensor | None = None
    ) -> Tensor:
        """The loss."""
        ...


def pointwise(scores: Tensor, grades: Tensor, present: Tensor, weights: Tensor | None = None) -> Tensor:
    """Cross entropy of each grade, as a part of the best one."""
    return functional.binary_cross_entropy_with_logits(
        scores[present], grades[present] / grades.max(), None if weights is None else weights[present]
    )


def rank_net(scores: Tensor, grades: Tensor, present: Tensor, weights: Tensor | None = None) -> Tensor:
    """RankNet (Burges et al., ICML 2005): log loss of every pair with different grades.

    A pair counts what its better candidate does: the weights are of what was taken.
    """
    if weights is None:
        return _pairs(scores, grades, present, None)
    better = (grades[:, :, None] > grades[:, None]) & present[:, :, None] & present[:, None]
    counted = (weights[:, :, None] * better).sum() / better.sum().clamp(min=1)
    return _pairs(scores, grades, present, weights[:, :, None] / counted.clamp(min=1e-6))


def lambda_rank(scores: Tensor, grades: Tensor, present: Tensor) -> Tensor:
    """LambdaRank (Burges et al., NIPS 2006): each pair weighted by what swapping it changes in NDCG@10."""
    masked = torch.where(present, scores.detach(), torch.tensor(-torch.inf))
    place = masked.argsort(dim=1, descending=True).argsort(dim=1)
    discount = torch.where(place < K, 1 / torch.log2(place + 2.0), torch.tensor(0.0))
    gain = torch.exp2(grades) - 1
    best, _ = torch.where(present, gain, torch.tensor(0.0)).sort(dim=1, descending=True)
    ideal = (best[:, :K] / torch.log2(torch.arange(best[:, :K].shape[1]) + 2.0)).sum(dim=1).clamp(min=1e-6)
    swapped = (gain[:, :, None] - gain[:, None]) * (discount[:, :, None] - discount[:, None])
    return _pairs(scores, grades, present, swapped.abs() / ideal[:, None, None])


def softmax(scores: Tensor, grades: Tensor, present: Tensor) -> Tensor:
    """Cross entropy of the list's softmax with its gains (Cao et al., ICML 2007; top-one ListNet)."""
    gain = torch.where(present, torch.exp2(grades) - 1, torch.tensor(0.0))
    graded = gain.sum(dim=1) > 0
    share = gain[graded] / gain[graded].sum(dim=1, keepdim=True)
    logs = functional.log_softmax(scores.masked_fill(~present, -1e9)[graded], dim=1)
    return -(share * logs).sum(dim=1).mean()


def _pairs(scores: Tensor, grades: Tensor, present: Tensor, weights: Tensor | None) -> Tensor:
    better = (grades[:, :, None] > grades[:, None]) & present[:, :, None] & present[:, None]
    losses = functional.softplus(scores[:, None] - scores[:, :, None])
    if weights is not None:
        losses = losses * weights
    return (losses * better).sum() / better.sum().clamp(min=1)
