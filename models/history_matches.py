"""Cross features of a candidate by table look-up, exactly those of `models.cross_features`.

What the history knows of a candidate's item, category, brand or shop depends only on the code they share. So
it is computed once for each history position, and a table by code says which position to read: a candidate
costs one look-up per field instead of a comparison with every position.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.bst import Bst
from models.cross_features import NEVER

# History positions fit in a byte, and a table of bytes is cleared four times as fast as one of int32.
_POSITION = torch.uint8


class HistoryMatches(nn.Module):
    """Looks up, for candidates of B shoppers, the cross features that `bst` computes by comparison."""

    item_codes: Tensor
    unknown: Tensor
    weights: Tensor

    def __init__(self, bst: Bst) -> None:
        super().__init__()
        tables = bst.tables
        codes = {"item": torch.arange(tables.items + 1, dtype=torch.int32)}
        codes |= {field: getattr(tables, field) for field in bst.match_fields}
        sizes = [tables.items + 1] + [bst.code_counts[field] + 1 for field in bst.match_fields]
        starts = [sum(sizes[:index]) for index in range(len(sizes))]
        self.fields, self.codes = len(sizes), sum(sizes)
        offset = torch.tensor(starts, dtype=torch.int32)
        self.register_buffer("unknown", offset, persistent=False)
        self.register_buffer("item_codes", torch.stack(list(codes.values()), 1) + offset, persistent=False)
        cross = bst.cross_features
        self.by_event, self.by_age = cross.by_event, cross.by_age
        self.last_age = torch.cat([weight.detach() for weight in cross.last_age.parameters()])

    def forward(self, items: Tensor, event: Tensor, age: Tensor, candidates: Tensor, row: Tensor) -> Tensor:
        """float32[n, width of the cross features].

        items, event, age: int64[B, T], safe; candidates: int64[n], safe ids; row: int64[n], their shoppers.
        """
        batch, length = items.shape
        codes = torch.index_select(self.item_codes, 0, items.flatten()).reshape(batch, length, self.fields)
        known = codes > self.unknown
        position = self._positions(codes, known, candidates, row)
        features = self._by_position(codes.transpose(1, 2), known.transpose(1, 2), event, age)
        field = torch.arange(self.fields, device=row.device)
        where = (row[:, None] * self.fields + field) * (length + 1) + position
        return torch.index_select(features, 0, where.flatten()).reshape(row.shape[0], -1)

    def _positions(self, codes: Tensor, known: Tensor, candidates: Tensor, row: Tensor) -> Tensor:
        """int64[n, fields]: a history position with the candidate's code, T where there is none."""
        batch, length, _ = codes.shape
        positions = torch.full((batch * self.codes,), length, dtype=_POSITION, device=row.device)
        shopper = torch.arange(batch, device=row.device)[:, None, None] * self.codes
        position = torch.arange(length, device=row.device)[:, None]
        # Equal codes write in any order: all their positions have the same features.
        written = torch.where(known, position, length).to(_POSITION)
        positions = positions.scatter(0, (codes + shopper).flatten(), written.flatten())
        wanted = torch.index_select(self.item_codes, 0, candidates) + row[:, None] * self.codes
        found = torch.index_select(positions, 0, wanted.flatten())
        return found.to(torch.int64).reshape(-1, self.fields)

    def _by_position(self, codes: Tensor, known: Tensor, event: Tensor, age: Tensor) -> Tensor:
        """float32[B·fields·(T + 1), 16]: what each position's code has met; the last position: nothing.

        codes and known: [B, fields, T].
        """
        match = (codes[..., :, None] == codes[..., None, :]) & known[..., None, :]
        weights = torch.cat((self.by_event[event], self.by_age[age]), dim=-1)[:, None]
        counts = nn.functional.pad(torch.log1p(match.float() @ weights), (0, 0, 0, 1))
        last = torch.where(match, age[:, None, None, :], NEVER).amin(dim=-1)
        last = nn.functional.pad(last, (0, 1), value=NEVER)
        rows = last + torch.arange(self.fields, device=age.device)[:, None] * (NEVER + 1)
        embedded = nn.functional.embedding(rows, self.last_age)
        return torch.cat((counts, embedded), dim=-1).flatten(0, 2)
