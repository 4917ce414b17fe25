"""Candidates of several shoppers, laid out so that one batched matrix product serves all shoppers.

A call carries n candidates in any order, each with the row of its shopper. Attention needs the candidates of
a shopper side by side: [B, C], C the candidates of the shopper who has most. Places left over hold a copy of
the first candidate and are never read back.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class ShopperGroups(NamedTuple):
    """Where each candidate is in the [B, C] layout.

    source: int64[B·C], the candidate copied to each place; place: int64[n], the place of each candidate;
    member: float32[n, B], 1 in the column of the candidate's shopper.
    """

    source: Tensor
    place: Tensor
    member: Tensor

    @classmethod
    def of_rows(cls, row: Tensor, shoppers: int) -> ShopperGroups:
        """row: int64[n], each within 0…`shoppers`−1, in any order; n ≥ 1."""
        numbers = torch.arange(shoppers, device=row.device)
        member = (row[None, :] == numbers[:, None]).to(torch.int32)
        seen = member.cumsum(1, dtype=torch.int32)
        width = seen[:, -1].max().item()
        assert isinstance(width, int | torch.SymInt)  # what `item` of integers gives
        torch._check(width >= 1)
        # Counting starts at 1.
        place = row * width - 1 + (seen * member).sum(0)
        source = torch.zeros(shoppers * width, dtype=torch.int64, device=row.device)
        source = source.scatter(0, place, torch.arange(row.shape[0], device=row.device))
        return cls(source, place, member.t().float())
