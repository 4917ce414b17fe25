"""Two towers: a vector of the shopper and one of the item, that meet in a dot product alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from evaluation.rankers.id_network import NETWORK, IdInputs, IdNetwork, network_ranker


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

    def score(self, inputs: IdInputs) -> Tensor:
        """Logits float32[B, C]."""
        shopper = self.shopper(torch.cat([inputs.pooled, inputs.facts], dim=-1))
        item = self.item(torch.cat([inputs.candidate, inputs.sides], dim=-1))
        logits: Tensor = (item @ shopper[:, :, None] + self.popular(inputs.sides)).squeeze(-1)
        return logits


RANKER = network_ranker(TwoTowers)
