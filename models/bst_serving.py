"""BST as it is served: the masked form, rearranged so that a candidate costs as little as can be.

It answers what `models.bst_replicated.plain_replicated_scores` answers, by exact algebra:

- what depends on the item alone comes from tables filled at export (`models.item_constants`);
- attention to the history is two matrix products per shopper (`models.block_attention`), candidates standing
  side by side by shopper (`models.shopper_groups`);
- cross features are looked up by code (`models.history_matches`);
- embeddings of profile, context and the history's length enter the first layer as sums of table rows.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from features.history import HISTORY_LENGTH
from models.block_attention import BlockAttention, Rows, rows_of
from models.bst_network import Bst
from models.cross_features import AGE_BUCKETS
from models.history_matches import HistoryMatches
from models.item_constants import ItemConstants
from models.shopper_groups import ShopperGroups
from snapshot.event_codes import HISTORY_ROWS


class BstServing(nn.Module):
    """A trained `Bst` with `mask_candidate`, for inference; arguments and answer are those of `Bst.forward`.

    `table_bytes` are the sizes of the item tables filled within `budget_bytes`, by name.
    """

    event_age: Tensor
    positions: Tensor
    encoded_history: Tensor
    encoded_candidate: Tensor
    facts: Tensor
    fact_sizes: Tensor
    fact_starts: Tensor

    def __init__(self, bst: Bst, budget_bytes: int) -> None:
        """Takes a trained network; ValueError where its history sees the candidate."""
        super().__init__()
        if not bst.settings.mask_candidate:
            raise ValueError("this form is for mask_candidate = True; the original form has its own")
        self.length = bst.settings.history_length
        self.items = bst.tables.items
        self.constants = ItemConstants(bst)
        self.table_bytes = self.constants.fold(budget_bytes)
        self.matches = HistoryMatches(bst)
        self.blocks = nn.ModuleList(BlockAttention(block) for block in bst._transformer())
        self.candidate_blocks = nn.ModuleList(BlockAttention(block) for block in bst._candidate_transformer())
        self.layers = bst.layers
        with torch.no_grad():
            self._fill(bst)

    def _fill(self, bst: Bst) -> None:
        width, length = bst.settings.dimension, self.length
        pairs = bst.event_embedding.weight[:, None] + bst.age_embedding.weight[None]
        self.register_buffer("event_age", pairs.flatten(0, 1), persistent=False)
        # `Rows.residual` is the token of a candidate; a history token differs by these.
        positions = bst.position_embedding.weight[1:] - bst.position_embedding.weight[0]
        self.register_buffer("positions", positions - self.constants.block.output.bias, persistent=False)
        user, candidate = bst.user_half.weight.t(), bst.candidate_half.weight.t()
        self.register_buffer("encoded_history", user[: length * width].contiguous(), persistent=False)
        cross = candidate[-bst.cross_features.width :]
        encoded = torch.cat((candidate[width : 2 * width], cross))
        self.register_buffer("encoded_candidate", encoded, persistent=False)
        tables, at = [], length * width
        for embedding in (*bst.profile_embeddings, *bst.context_embeddings):
            tables.append(embedding.weight @ user[at : at + embedding.embedding_dim])
            at += embedding.embedding_dim
        lengths = torch.log1p(torch.arange(length + 1, dtype=torch.float32))
        tables.append(lengths[:, None] * user[at] + bst.user_half.bias)
        sizes = torch.tensor([len(table) for table in tables], dtype=torch.int32)
        self.register_buffer("facts", torch.cat(tables), persistent=False)
        self.register_buffer("fact_sizes", sizes, persistent=False)
        self.register_buffer("fact_starts", sizes.cumsum(0, dtype=torch.int32) - sizes, persistent=False)

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
        """Probability float32[n]; arguments as in `Bst.forward`."""
        shoppers = history_item.shape[0]
        items = _safe(self._newest(history_item), self.items + 1).long()
        event = _safe(self._newest(history_event), HISTORY_ROWS)
        age = self._newest(history_age).clamp(0, AGE_BUCKETS - 1)
        event_age = event * AGE_BUCKETS + age
        present = (event > 0).float()
        candidates = _safe(candidate_item, self.items + 1).long()
        row = candidate_row.clamp(0, shoppers - 1).long()
        groups = ShopperGroups.of_rows(row, shoppers)

        history = self._history_tokens(items, event_age, present)
        rows = self.constants.rows(torch.index_select(candidates, 0, groups.source))
        absent = 1 - present[..., None]
        first, *further = _attentions(self.blocks)
        tokens, history = self._encode(first, rows, history, absent)
        for block in further:
            tokens, history = self._encode(block, rows_of(block.block, tokens), history, absent)
        for block in _attentions(self.candidate_blocks):
            shared = block.share(torch.cat((history, absent), dim=-1))
            tokens = block.encode(rows_of(block.block, tokens), shared)
        encoded = torch.index_select(tokens, 0, groups.place)

        cross = self.matches(items, event_age, age, candidates, row)
        user = self._user_half(history, present, profile, context)
        columns = torch.cat((encoded, cross, groups.member), dim=1)
        weights = torch.cat((self.encoded_candidate, user))
        hidden = torch.addmm(self.constants.first_layer(candidates), columns, weights)
        for layer in self.layers:
            hidden = layer(functional.leaky_relu(hidden))
        return torch.sigmoid(hidden.squeeze(-1))

    def _encode(
        self, block: BlockAttention, rows: Rows, history: Tensor, absent: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The block's output for the candidates, float32[m, d], and for the history, float32[B, T, d]."""
        tokens = torch.cat((history, absent), dim=-1)
        shared = block.share(tokens)
        return block.encode(rows, shared), block.encode_history(tokens, shared)

    def _newest(self, history: Tensor) -> Tensor:
        return history if self.length == HISTORY_LENGTH else history[:, : self.length]

    def _history_tokens(self, items: Tensor, event_age: Tensor, present: Tensor) -> Tensor:
        """float32[B, T, d]; items: int64[B, T]; event_age: int32[B, T]."""
        token: Tensor = self.constants.rows(items.flatten()).residual.unflatten(0, items.shape)
        token = token + functional.embedding(event_age, self.event_age) + self.positions
        return token * present[..., None]

    def _user_half(self, encoded: Tensor, present: Tensor, profile: Tensor, context: Tensor) -> Tensor:
        """float32[B, hidden[0]]: the shopper's part of the first layer; encoded: float32[B, T, d]."""
        flat = (encoded * present[..., None]).flatten(1)
        length = present.sum(1, keepdim=True).to(torch.int32)
        codes = torch.cat((profile, context, length), dim=1)
        inside = (codes >= 0) & (codes < self.fact_sizes)
        rows = torch.where(inside, codes, 0) + self.fact_starts
        facts = functional.embedding(rows, self.facts).sum(1)
        return torch.addmm(facts, flat, self.encoded_history)


def _safe(codes: Tensor, size: int) -> Tensor:
    """Codes of any shape as they are, those outside 0…size−1 as 0 (unknown)."""
    return torch.where((codes >= 0) & (codes < size), codes, 0)


def _attentions(blocks: nn.ModuleList) -> list[BlockAttention]:
    return [block for block in blocks if isinstance(block, BlockAttention)]
