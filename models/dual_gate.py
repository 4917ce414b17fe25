"""The two gates between a shopper's interests and a target, and the penalty that keeps interests apart."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.transformer import MASKED


class FusionGate(nn.Module):
    """Joins each long-term interest p with a short-term one s: z = (1 − G) ∘ s + G ∘ p.

    G = σ(W₁ e + W₂ s + W₃ p + b), a share for each of the D floats, where e is the shopper as a whole.
    """

    def __init__(self, width: int) -> None:
        """Draws new weights; it begins with more of the long term (G about .9)."""
        super().__init__()
        self.shopper = nn.Linear(width, width)
        self.short = nn.Linear(width, width, bias=False)
        self.long = nn.Linear(width, width, bias=False)
        nn.init.constant_(self.shopper.bias, 2.0)

    def forward(self, shopper: Tensor, short: Tensor, long: Tensor) -> Tensor:
        """float32[B, K, D] of shopper float32[B, 1, D] and interests float32[B, K, D]."""
        gate = torch.sigmoid(self.shopper(shopper) + self.short(short) + self.long(long))
        return (1 - gate) * short + gate * long


def short_term(long: Tensor, behaviours: Tensor, present: Tensor, temperature: float) -> Tensor:
    """Each interest as the newest behaviours have it: float32[B, K, D], the mean of those that are near it.

    long: float32[B, K, D], length 1; behaviours: float32[B, S, D], length 1; present: float32[B, S], 1 or 0.
    Weights are a softmax over the behaviours of cosine / temperature; zero where no behaviour is present.
    """
    near = long @ behaviours.transpose(1, 2) / temperature + ((1 - present) * MASKED)[:, None, :]
    share = torch.softmax(near, dim=-1) * present[:, None, :]
    return share @ behaviours


def nearest_interest(interests: Tensor, targets: Tensor) -> Tensor:
    """The selection gate: for each target the active interest with the largest product, float32[B, P, D].

    interests: float32[B, K, D], all zero where inactive; targets: float32[B, P, D].
    """
    inactive = (interests.abs().sum(-1) == 0).float()[:, None, :]
    chosen = (targets @ interests.transpose(1, 2) + inactive * MASKED).argmax(dim=-1)
    return torch.gather(interests, 1, chosen[..., None].expand(-1, -1, interests.shape[-1]))


def closeness(interests: Tensor) -> Tensor:
    """Mean over shoppers of Σ_{i<j} z_i·z_j, the metric-learning penalty; interests float32[B, K, D].

    The sum over pairs is (|Σ z|² − Σ |z|²) / 2.
    """
    together = interests.sum(1).square().sum(-1) - interests.square().sum((1, 2))
    return together.mean() / 2
