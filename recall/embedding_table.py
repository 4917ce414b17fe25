"""Tables of vectors that begin small and random. Offline only."""

from __future__ import annotations

import torch
from torch import nn

_DENSE_ROWS = 10_000


def shared_table(rows: int, dimensions: int, random: torch.Generator) -> nn.Embedding:
    """A table of `rows` vectors; a large one has sparse gradients.

    A step touches few rows of a large table, and most of a small one.
    """
    made = nn.Embedding(rows, dimensions, sparse=rows > _DENSE_ROWS)
    with torch.no_grad():
        made.weight.uniform_(-0.5 / dimensions, 0.5 / dimensions, generator=random)
    return made
