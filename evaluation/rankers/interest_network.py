"""Deep Interest Network (Zhou et al., KDD 2018): the history weighted by how it fits the candidate."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from evaluation.rankers.id_network import IdInputs, IdNetwork, network_ranker, perceptron

_HIDDEN = 24


class InterestNetwork(IdNetwork):
    """Weights are not normalised: how much of the history fits is a strength of interest."""

    def make(self) -> None:
        """A small perceptron gives each event its weight for each candidate."""
        self.fit = nn.Sequential(nn.Linear(4 * self.width, _HIDDEN), nn.PReLU(), nn.Linear(_HIDDEN, 1))
        self.deep = perceptron(2 * self.width + self.sides_width + self.cross_width + self.facts_width)

    def score(self, inputs: IdInputs) -> Tensor:
        """Logits float32[B, C]."""
        count, length = inputs.candidate.shape[1], inputs.history.shape[1]
        candidate = inputs.candidate[:, :, None].expand(-1, -1, length, -1)
        history = inputs.history[:, None].expand(-1, count, -1, -1)
        meeting = torch.cat([history, candidate, history - candidate, history * candidate], dim=-1)
        weights = self.fit(meeting).squeeze(-1) * inputs.present[:, None]
        interest = weights @ inputs.history
        columns = [inputs.candidate, interest, inputs.sides, inputs.cross, inputs.spread(inputs.facts)]
        logits: Tensor = self.deep(torch.cat(columns, dim=-1))
        return logits.squeeze(-1)


RANKER = network_ranker(InterestNetwork)
