"""Two towers: a vector of the shopper and one of the item, that meet in a dot product alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from evaluation.rankers.id_network import NETWORK, IdInputs, IdNetwork, network_ranker

_SHARPNESS = 5.0
"""What a cosine of 1 adds to the logit at first. Plain products of small vectors hardly begin to learn."""


class TwoTowers(IdNetwork):
    """Cross features do not exist for it: neither tower knows of the other's item."""

    def make(self) -> None:
        """A perceptron per tower."""
        hidden = NETWORK.hidden[0]
        self.shopper, self.item = (
            nn.Sequential(nn.Linear(width, hidden), nn.LeakyReLU(), nn.Linear(hidden, self.width))
            for width in (self.width + self.facts_width, self.width + self.sides_width)
        )
        self.popular = nn.Linear(self.sides_width, 1)
        self.sharpness = nn.Parameter(torch.tensor(_SHARPNESS))

    def score(self, inputs: IdInputs) -> Tensor:
        """Logits float32[B, C]."""
        shopper = functional.normalize(self.shopper(torch.cat([inputs.pooled, inputs.facts], dim=-1)), dim=-1)
        item = functional.normalize(self.item(torch.cat([inputs.candidate, inputs.sides], dim=-1)), dim=-1)
        cosine = item @ shopper[:, :, None]
        logits: Tensor = (self.sharpness * cosine + self.popular(inputs.sides)).squeeze(-1)
        return logits


RANKER = network_ranker(TwoTowers)
