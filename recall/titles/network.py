"""Networks that score the tags of each piece of a title: of what is around it, and of the whole title."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

_SMALL = 0.1
"""Standard deviation of the vectors before they are trained."""


class WindowScores(nn.Module):
    """A weight for each tag of each value of each template, summed: what a plain CRF learns."""

    def __init__(self, sizes: Sequence[int], tags: int) -> None:
        """sizes: codes of each template, 0 among them, which weighs nothing."""
        super().__init__()
        self.weights = nn.EmbeddingBag(sum(sizes), tags, mode="sum", sparse=False)
        nn.init.zeros_(self.weights.weight)
        self.register_buffer("first", torch.tensor([0, *sizes[:-1]]).cumsum(0))

    first: torch.Tensor

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        """float32[B, T, K] of codes int64[B, T, templates]."""
        titles, pieces, _ = codes.shape
        known = (codes > 0).to(self.weights.weight.dtype)
        flat = (codes + self.first).flatten(0, 1)
        scores: torch.Tensor = self.weights(flat, per_sample_weights=known.flatten(0, 1))
        return scores.view(titles, pieces, -1)


class TitleScores(nn.Module):
    """Vectors of a piece's own values, read in both directions by an LSTM (Huang, Xu and Yu 2015)."""

    def __init__(self, sizes: Sequence[int], width: int, hidden: int, tags: int, dropout: float) -> None:
        """sizes: codes of each template; width: of each vector; hidden: of each direction."""
        super().__init__()
        widths = [min(width, max(4, size // 2)) for size in sizes]
        tables = [nn.Embedding(*each) for each in zip(sizes, widths, strict=True)]
        for table in tables:
            nn.init.normal_(table.weight, std=_SMALL)
        self.vectors = nn.ModuleList(tables)
        self.memory = nn.LSTM(sum(widths), hidden, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(dropout)
        self.scores = nn.Linear(2 * hidden, tags)

    def forward(self, codes: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """float32[B, T, K] of codes int64[B, T, templates] and present bool[B, T]."""
        read = torch.cat([table(codes[:, :, at]) for at, table in enumerate(self.vectors)], dim=-1)
        packed = nn.utils.rnn.pack_padded_sequence(
            self.dropout(read), present.sum(1).cpu(), batch_first=True, enforce_sorted=False
        )
        seen, _ = nn.utils.rnn.pad_packed_sequence(
            self.memory(packed)[0], batch_first=True, total_length=codes.shape[1]
        )
        scores: torch.Tensor = self.scores(self.dropout(seen))
        return scores
