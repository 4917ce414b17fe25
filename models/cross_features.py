"""Cross features: how a candidate meets the shopper's history, computed from ids inside the graph."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from snapshot.event_codes import HISTORY_ROWS, INTEREST_CODES

AGE_BUCKETS = 25  # 0 = padding, 1…24 as in features.history.age_bucket
NEVER = AGE_BUCKETS  # age code of "no such item in the history"
DECAY_MINUTES = (60.0, 1440.0, 10080.0, 40320.0)  # an hour, a day, a week, four weeks
AGE_DIMENSION = 8


def _history_weights() -> tuple[Tensor, Tensor]:
    """What one history row counts for: by event code float32[rows, kinds], by age bucket float32[25, 4]."""
    by_event = torch.zeros(HISTORY_ROWS, len(INTEREST_CODES))
    for column, event in enumerate(INTEREST_CODES):
        by_event[event, column] = 1.0
    minutes = 2.0 ** torch.arange(AGE_BUCKETS, dtype=torch.float32) / 2
    by_age = torch.exp(-minutes[:, None] / torch.tensor(DECAY_MINUTES))
    by_age[0] = 0.0
    return by_event, by_age


class CrossFeatures(nn.Module):
    """For each matched field: how often, how lately and by which events the history holds it.

    Counts by event and counts that decay with age pass through log1p; the age bucket of the latest match is
    embedded, with one code for "never".
    """

    by_event: Tensor
    by_age: Tensor

    def __init__(self, fields: int) -> None:
        """fields: how many kinds of keys are matched."""
        super().__init__()
        by_event, by_age = _history_weights()
        self.register_buffer("by_event", by_event, persistent=False)
        self.register_buffer("by_age", by_age, persistent=False)
        tables = [nn.Embedding(AGE_BUCKETS + 1, AGE_DIMENSION) for _ in range(fields)]
        for table in tables:
            nn.init.normal_(table.weight, std=0.05)
        self.last_age = nn.ModuleList(tables)

    @property
    def width(self) -> int:
        """Floats made for one candidate."""
        return len(self.last_age) * (len(INTEREST_CODES) + len(DECAY_MINUTES) + AGE_DIMENSION)

    def forward(
        self, candidate_keys: list[Tensor], history_keys: list[Tensor], event: Tensor, age: Tensor
    ) -> Tensor:
        """float32[G, C, `width`].

        candidate_keys, history_keys: int64[G, C] and int64[G, S] for each field; equal keys match; a history
        key of −1 matches nothing. event, age: int64[G, S], codes within their tables.
        """
        weights = torch.cat((self.by_event[event], self.by_age[age]), dim=-1)
        age = age[:, None, :]
        never = torch.full_like(age, NEVER)
        parts = []
        for embedding, candidate, history in zip(self.last_age, candidate_keys, history_keys, strict=True):
            match = candidate[:, :, None] == history[:, None, :]
            parts.append(torch.log1p(match.float() @ weights))
            parts.append(embedding(torch.where(match, age, never).amin(dim=-1)))
        return torch.cat(parts, dim=-1)
