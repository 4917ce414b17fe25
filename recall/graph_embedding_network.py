"""The network of graph_embedding: an item's vector as a learned mixture of its own and what it shares."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from recall.embedding_table import shared_table
from recall.item_parts import ItemParts

_STEP = 16_384


class ItemMixture(nn.Module):
    """H_v over the parts of items: themselves, columns, words of titles."""

    def __init__(self, parts: ItemParts, dimensions: int, random: torch.Generator) -> None:
        """Vectors begin small and random, attention equal."""
        super().__init__()
        items = len(parts.columns)
        self.items = shared_table(items, dimensions, random)
        self.columns = nn.ModuleList(shared_table(size, dimensions, random) for size in parts.sizes)
        self.words = shared_table(parts.vocabulary, dimensions, random)
        self.context = shared_table(items, dimensions, random)
        count = 2 + len(parts.sizes)
        self.attention = nn.Parameter(torch.zeros(count))
        self.own_attention = nn.Embedding(items, count, sparse=self.items.sparse)
        nn.init.zeros_(self.own_attention.weight)
        self._column_codes = torch.from_numpy(parts.columns.astype(np.int64))
        self._word_codes = torch.from_numpy(parts.words.astype(np.int64))

    def forward(self, items: torch.Tensor, alone: torch.Tensor) -> torch.Tensor:
        """float32[b, D] of items int64[b]; `alone` bool[b]: by what they share with others only."""
        columns, words = self._column_codes[items], self._word_codes[items]
        spelled = (words > 0).unsqueeze(-1)
        counted = spelled.sum(dim=1)
        title = (self.words(words) * spelled).sum(dim=1) / counted.clamp(min=1)
        parts = [self.items(items), title]
        parts += [table(columns[:, place]) for place, table in enumerate(self.columns)]
        known = torch.cat((~alone.unsqueeze(1), counted > 0, columns > 0), dim=1)
        logits = self.attention + self.own_attention(items) * (~alone).unsqueeze(1)
        weight = torch.softmax(logits.masked_fill(~known, -1e4), dim=1)
        # Of an item that has no part all weights are equal, and it has no vector.
        weight = weight * known
        return (torch.stack(parts, dim=1) * weight.unsqueeze(-1)).sum(dim=1)

    def every(self, alone: torch.Tensor) -> torch.Tensor:
        """float32[N + 1, D], the vectors of all items; `alone` bool[N + 1]."""
        with torch.no_grad():
            rows = torch.arange(len(alone)).split(_STEP)
            return torch.cat([self(row, alone[row]) for row in rows])
