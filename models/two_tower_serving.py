"""The two-tower model as it is served: a candidate costs a few look-ups and one product of vectors.

The item tower is a table, filled once. What the history holds of a code (an item, a category, a brand) is the
same for every candidate with that code: it is computed per history position and written to a table by code,
from which each candidate reads.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.two_tower import TwoTower


class TwoTowerServing(nn.Module):
    """A trained `TwoTower`, for inference; arguments and answer are those of `TwoTower.forward`."""

    item_table: Tensor
    history_codes: Tensor
    candidate_codes: Tensor

    def __init__(self, model: TwoTower) -> None:
        """Takes a trained network and fills the table of its item tower."""
        super().__init__()
        self.model = model.eval()
        self.register_buffer("item_table", model.item_table(), persistent=False)
        tables = model.tables
        fields = [field for field in model.match_fields if field != "item"]
        columns = [torch.arange(tables.items + 1, dtype=torch.int32), *(getattr(tables, f) for f in fields)]
        sizes = [tables.items + 1, *(model.code_counts[field] + 1 for field in fields)]
        starts = torch.tensor(sizes).cumsum(0) - torch.tensor(sizes)
        # Each shopper has a place for each code of each field, and two for unknown codes: histories write to
        # the first, candidates read the second, so that unknown codes match nothing.
        self.places = sum(sizes) + 2
        placed = torch.stack(columns) + starts[:, None]
        known = torch.stack(columns) > 0
        history = torch.where(known, placed, self.places - 2).int()
        candidate = torch.where(known, placed, self.places - 1).int().t().contiguous()
        self.register_buffer("history_codes", history, persistent=False)
        self.register_buffer("candidate_codes", candidate, persistent=False)

    def forward(
        self,
        history_item: Tensor,
        history_event: Tensor,
        history_age: Tensor,
        profile: Tensor,
        context: Tensor,
        candidate_item: Tensor,
        candidate_row: Tensor,
    ) -> Tensor:
        """Score float32[n]; arguments as in `TwoTower.forward`."""
        model = self.model
        item, event, age = model._safe(history_item, history_event, history_age)
        row = candidate_row.clamp(0, history_item.shape[0] - 1).long()
        candidates = model.tables.known(candidate_item)
        shopper = model.shopper_tower(item, event, age, profile, context)
        tower = torch.index_select(self.item_table, 0, candidates)
        # All shoppers' products at once, of which each candidate keeps its own: B is small, n is not.
        product = torch.gather(tower[:, :-1] @ shopper.t(), 1, row[:, None]).squeeze(1)
        return torch.sigmoid(product + tower[:, -1] + self._matches(item, event, age, candidates, row))

    def _matches(self, item: Tensor, event: Tensor, age: Tensor, candidates: Tensor, row: Tensor) -> Tensor:
        """float32[n]: what each candidate's codes are worth in its shopper's history."""
        batch = item.shape[0]
        worth = torch.stack(
            [
                scale
                * torch.log1p(((codes[:, :, None] == codes[:, None, :]).float() * weight[:, None]).sum(-1))
                for scale, (codes, weight) in zip(
                    self.model.match_scale, self.model._held(item, event, age), strict=True
                )
            ]
        )
        offset = torch.arange(batch, device=row.device)[:, None] * self.places
        codes = torch.index_select(self.history_codes, 1, item.flatten())
        written = codes.reshape(-1, *item.shape).long() + offset
        board = torch.zeros(batch * self.places, device=row.device)
        # Equal codes write in any order: they are worth the same.
        board = board.scatter(0, written.flatten(), worth.flatten())
        read = torch.index_select(self.candidate_codes, 0, candidates).long() + row[:, None] * self.places
        return torch.index_select(board, 0, read.flatten()).reshape(row.shape[0], -1).sum(1)
