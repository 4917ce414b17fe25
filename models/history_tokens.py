"""A batch of histories inside the networks, and how many candidates share them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class History(NamedTuple):
    """A batch of histories with ids made safe.

    item, event, age: int64[B, T]; tokens: float32[B, T, d]; present: float32[B, T], 0 at padding.
    """

    item: Tensor
    event: Tensor
    age: Tensor
    tokens: Tensor
    present: Tensor

    def side_by_side(self) -> History:
        """All histories as one long sequence: every column [1, B·T, …]."""
        return History(
            self.item.reshape(1, -1),
            self.event.reshape(1, -1),
            self.age.reshape(1, -1),
            self.tokens.reshape(1, -1, self.tokens.shape[-1]),
            self.present.reshape(1, -1),
        )


class Rows(NamedTuple):
    """Which shopper owns each candidate (int64[G, C or 1]) and each history token (int64[G, S or 1])."""

    candidate: Tensor
    history: Tensor

    @classmethod
    def of_candidates(cls, row: Tensor, history: History) -> Rows:
        """Candidates in one group beside histories laid out `side_by_side`; row: int64[n]."""
        batch, length = history.item.shape
        owner = torch.arange(batch, device=row.device)[:, None].expand(batch, length)
        return cls(candidate=row[None], history=owner.reshape(1, -1))
