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

from models.block_attention import (
    attend,
    attended_history,
    encode_history,
    feed_forward,
    item_query,
    own_value,
)
from models.bst import EVENTS, Bst
from models.cross_features import AGE_BUCKETS
from models.history_matches import HistoryMatches
from models.item_constants import ItemConstants
from models.item_features import safe_codes
from models.shopper_groups import ShopperGroups


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
        super().__init__()
        if not bst.settings.mask_candidate:
            raise ValueError("this form is for mask_candidate = True; the original form has its own")
        self.length = bst.settings.history_length
        self.items = bst.tables.items
        self.constants = ItemConstants(bst)
        self.table_bytes = self.constants.fold(budget_bytes)
        self.matches = HistoryMatches(bst)
        self.first, *self.further = bst._transformer()
        self.layers = bst.layers
        with torch.no_grad():
            self._fill(bst)

    def _fill(self, bst: Bst) -> None:
        width, length = bst.settings.dimension, self.length
        pairs = bst.event_embedding.weight[:, None] + bst.age_embedding.weight[None]
        self.register_buffer("event_age", pairs.flatten(0, 1), persistent=False)
        # `ItemConstants.residual` is the token of a candidate; a history token differs by these.
        positions = bst.position_embedding.weight[1:] - bst.position_embedding.weight[0]
        self.register_buffer("positions", positions - self.first.output.bias, persistent=False)
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
        newest = slice(self.length)
        shoppers = history_item.shape[0]
        items = safe_codes(history_item[:, newest], self.items + 1)
        event = safe_codes(history_event[:, newest], EVENTS)
        age = history_age[:, newest].clamp(0, AGE_BUCKETS - 1).long()
        candidates = safe_codes(candidate_item, self.items + 1)
        row = candidate_row.clamp(0, shoppers - 1).long()
        groups = ShopperGroups.of_rows(row, shoppers)

        present = (event > 0).float()
        history = self._history_tokens(items, event, age, present)
        ids = torch.index_select(candidates, 0, groups.source)
        query, value = self.constants.query(ids), self.constants.value(ids)
        tokens = self.constants.residual(ids)
        for index, block in enumerate([self.first, *self.further]):
            if index:
                query, value = item_query(block, tokens), block.value(tokens)
                tokens = tokens + block.output.bias
            seen = attended_history(block, history, present)
            gathered, own = attend(block, query.unflatten(0, (shoppers, -1)), seen)
            tokens = feed_forward(block, tokens + gathered + own_value(block, own, value))
            history = encode_history(block, history, seen)
        encoded = torch.index_select(tokens, 0, groups.place)

        cross = self.matches(items, event, age, candidates, row)
        user = self._user_half(history, present, profile, context)
        columns = torch.cat((encoded, cross, groups.member), dim=1)
        weights = torch.cat((self.encoded_candidate, user))
        hidden = torch.addmm(self.constants.first_layer(candidates), columns, weights)
        for layer in self.layers:
            hidden = layer(functional.leaky_relu(hidden))
        return torch.sigmoid(hidden.squeeze(-1))

    def _history_tokens(self, items: Tensor, event: Tensor, age: Tensor, present: Tensor) -> Tensor:
        """float32[B, T, d]; items, event and age: int64[B, T], safe."""
        token = self.constants.residual(items.flatten()).unflatten(0, items.shape)
        token = token + functional.embedding(event * AGE_BUCKETS + age, self.event_age) + self.positions
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
