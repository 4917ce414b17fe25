"""Deep & Cross Network (Wang et al., ADKDD 2017): layers that multiply the inputs with themselves."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from evaluation.rankers.id_network import IdInputs, IdNetwork, network_ranker, perceptron

_LAYERS = 3


class CrossNetwork(IdNetwork):
    """The history enters as the mean of its tokens."""

    def make(self) -> None:
        """Cross layers beside a perceptron."""
        width = 2 * self.width + self.sides_width + self.cross_width + self.facts_width
        self.crosses = nn.ModuleList(nn.Linear(width, 1, bias=False) for _ in range(_LAYERS))
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(width)) for _ in range(_LAYERS))
        self.last = nn.Linear(width, 1)
        self.deep = perceptron(width)

    def score(self, inputs: IdInputs) -> Tensor:
        """Logits float32[B, C]: x ← x₀ (w · x) + b + x."""
        first = torch.cat(
            [
                inputs.candidate,
                inputs.sides,
                inputs.cross,
                inputs.spread(inputs.pooled),
                inputs.spread(inputs.facts),
            ],
            dim=-1,
        )
        crossed = first
        for weight, bias in zip(self.crosses, self.biases, strict=True):
            crossed = first * weight(crossed) + bias + crossed
        logits: Tensor = self.last(crossed) + self.deep(first)
        return logits.squeeze(-1)


RANKER = network_ranker(CrossNetwork)
