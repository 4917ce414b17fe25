"""Wide & Deep (Cheng et al., DLRS 2016): a linear part over crosses beside a perceptron over embeddings."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from evaluation.rankers.id_network import IdInputs, IdNetwork, network_ranker, perceptron


class WideDeep(IdNetwork):
    """The history enters as the mean of its tokens."""

    def make(self) -> None:
        """The wide part remembers each item and each match with the history by a weight of its own."""
        self.wide = nn.Linear(self.cross_width, 1)
        self.wide_item = nn.Embedding(self.tables.id_rows, 1, sparse=True)
        nn.init.zeros_(self.wide_item.weight)
        self.deep = perceptron(2 * self.width + self.sides_width + self.cross_width + self.facts_width)
        self._candidates = torch.empty(0, dtype=torch.long)

    def _candidate_token(self, items: Tensor) -> Tensor:
        # The items themselves, for the wide part.
        self._candidates = self.tables.id_row[items]
        return super()._candidate_token(items)

    def score(self, inputs: IdInputs) -> Tensor:
        """Logits float32[B, C]."""
        wide = self.wide(inputs.cross) + self.wide_item(self._candidates)
        columns = [inputs.candidate, inputs.sides, inputs.cross]
        shopper = [inputs.spread(inputs.pooled), inputs.spread(inputs.facts)]
        logits: Tensor = wide + self.deep(torch.cat([*columns, *shopper], dim=-1))
        return logits.squeeze(-1)


RANKER = network_ranker(WideDeep)
