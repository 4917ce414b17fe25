"""DeepFM (Guo et al., IJCAI 2017): products of all pairs of fields beside a perceptron over them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from evaluation.rankers.id_network import IdInputs, IdNetwork, network_ranker, perceptron


class DeepFm(IdNetwork):
    """Fields: the candidate, its side features, its matches, the history's mean and the shopper's facts."""

    def make(self) -> None:
        """Fields of other widths than a token's are projected to it."""
        self.fields = nn.ModuleList(
            nn.Linear(width, self.width) for width in (self.sides_width, self.cross_width, self.facts_width)
        )
        self.first_order = nn.Linear(self.sides_width + self.cross_width, 1)
        self.deep = perceptron(2 * self.width + self.sides_width + self.cross_width + self.facts_width)

    def score(self, inputs: IdInputs) -> Tensor:
        """Logits float32[B, C]."""
        pooled, facts = inputs.spread(inputs.pooled), inputs.spread(inputs.facts)
        projected = [
            field(columns)
            for field, columns in zip(self.fields, (inputs.sides, inputs.cross, facts), strict=True)
        ]
        fields = torch.stack([inputs.candidate, pooled, *projected], dim=-2)
        # Rendle 2010: the sum over pairs is half of (square of the sum − sum of the squares).
        pairs = (fields.sum(dim=-2).square() - fields.square().sum(dim=-2)).sum(dim=-1, keepdim=True) / 2
        first = self.first_order(torch.cat([inputs.sides, inputs.cross], dim=-1))
        deep = self.deep(torch.cat([inputs.candidate, inputs.sides, inputs.cross, pooled, facts], dim=-1))
        logits: Tensor = first + pairs + deep
        return logits.squeeze(-1)


RANKER = network_ranker(DeepFm)
