"""Cross features of a candidate by table look-up, exactly those of `models.cross_features`.

What the history knows of a candidate's item, category, brand or shop depends only on the code they share. So
it is computed once for each history position, and a table by code says which position to read: a candidate
costs one look-up per field instead of a comparison with every position.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.bst_network import Bst
from models.cross_features import AGE_BUCKETS, NEVER
from snapshot.event_codes import HISTORY_ROWS

# History positions fit in a byte, and a table of bytes is cleared four times as fast as one of int32.
_POSITION = torch.uint8


class HistoryMatches(nn.Module):
    """Looks up, for candidates of B shoppers, the cross features that `bst` computes by comparison.

    Every shopper has a row of `codes` places, one for each code of each field. The last two stand for unknown
    codes: those of a history are written to the first and never read, candidates read the second, which is
    never written. So unknown codes match nothing.
    """

    history_codes: Tensor
    candidate_codes: Tensor
    weights: Tensor
    last_age: Tensor

    def __init__(self, bst: Bst) -> None:
        """Takes the tables and weights of a trained network."""
        super().__init__()
        tables = bst.tables
        columns = [torch.arange(tables.items + 1, dtype=torch.int32)]
        columns += [getattr(tables, field) for field in bst.match_fields]
        sizes = [tables.items + 1] + [bst.code_counts[field] + 1 for field in bst.match_fields]
        self.fields, self.codes = len(sizes), sum(sizes) + 2
        starts = torch.tensor(sizes, dtype=torch.int32).cumsum(0, dtype=torch.int32) - torch.tensor(sizes)
        known, placed = torch.stack(columns) > 0, torch.stack(columns) + starts[:, None]
        history = torch.where(known, placed, self.codes - 2).int()
        candidate = torch.where(known, placed, self.codes - 1).int().t().contiguous()
        self.register_buffer("history_codes", history, persistent=False)
        self.register_buffer("candidate_codes", candidate, persistent=False)
        cross = bst.cross_features
        by_event = cross.by_event[:, None].expand(-1, AGE_BUCKETS, -1)
        by_age = cross.by_age[None].expand(HISTORY_ROWS, -1, -1)
        weights = torch.cat((by_event, by_age), dim=-1).flatten(0, 1).contiguous()
        self.register_buffer("weights", weights, persistent=False)
        last_age = torch.cat([weight.detach() for weight in cross.last_age.parameters()])
        self.register_buffer("last_age", last_age, persistent=False)

    def forward(
        self, items: Tensor, event_age: Tensor, age: Tensor, candidates: Tensor, row: Tensor
    ) -> Tensor:
        """float32[n, width of the cross features].

        items: int64[B, T], safe ids; event_age and age: int32[B, T], event · AGE_BUCKETS + age, and age;
        candidates: int64[n], safe ids; row: int64[n], their shoppers.
        """
        batch, length = items.shape
        codes = torch.index_select(self.history_codes, 1, items.flatten())
        codes = codes.reshape(self.fields, batch, length)
        shopper = torch.arange(batch, dtype=torch.int32, device=row.device)[:, None] * self.codes
        position = torch.arange(length, dtype=_POSITION, device=row.device).expand(self.fields, batch, length)
        places = torch.full((batch * self.codes,), length, dtype=_POSITION, device=row.device)
        # Equal codes write in any order: all their positions have the same features.
        places = places.scatter(0, (codes + shopper).long().flatten(), position.flatten())
        wanted = torch.index_select(self.candidate_codes, 0, candidates).long() + row[:, None] * self.codes
        found = torch.index_select(places, 0, wanted.flatten()).long().reshape(-1, self.fields)
        features = self._by_position(codes, event_age, age)
        field = torch.arange(self.fields, device=row.device) * batch
        found = found + (row[:, None] + field) * (length + 1)
        return torch.index_select(features, 0, found.flatten()).reshape(row.shape[0], -1)

    def _by_position(self, codes: Tensor, event_age: Tensor, age: Tensor) -> Tensor:
        """float32[fields·B·(T + 1), 16]: what each position's code has met; the last position: nothing.

        codes: int32[fields, B, T].
        """
        asked = functional.pad(codes, (0, 1), value=-1)
        match = asked[..., :, None] == codes[..., None, :]
        counts = torch.log1p(match.float() @ functional.embedding(event_age, self.weights))
        last = torch.where(match, age[:, None, :], NEVER).amin(dim=-1)
        field = torch.arange(self.fields, dtype=torch.int32, device=age.device)[:, None, None] * (NEVER + 1)
        return torch.cat((counts, functional.embedding(last + field, self.last_age)), dim=-1).flatten(0, 2)
