"""A causal transformer over a shopper's history, SASRec (Kang and McAuley 2018, arXiv:1808.09781)."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from features.history import HISTORY_LENGTH
from models.item_features import ItemFeatures, safe_codes
from models.pooled_items import PooledItems
from models.sequential_settings import SequentialNetworkSettings
from models.transformer import MASKED, TransformerBlock
from snapshot.event_codes import HISTORY_ROWS

_ITEMS_AT_ONCE = 131_072


class Sequential(PooledItems):
    """Turns a history into one vector, in the space of the item vectors that it is read with (tied).

    The inner product with an item's vector is the item's logit, so vectors have no common length. Tokens are
    in the order of serving, newest first: a token looks at itself and at what lies behind it.
    """

    older: Tensor

    def __init__(self, settings: SequentialNetworkSettings, features: ItemFeatures) -> None:
        """Draws new weights.

        Above `settings.full_softmax_items` items, a step moves only the ids of its batch.
        """
        width = settings.dimension
        samples = features.items > settings.full_softmax_items
        super().__init__(features, width, settings.min_item_users, settings.id_dropout, sparse=samples)
        self.settings = settings
        self.samples = samples
        self.event_embedding = nn.Embedding(HISTORY_ROWS, width)
        self.position_embedding = nn.Embedding(HISTORY_LENGTH, width)
        self.token_norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(settings.dropout)
        self.blocks = nn.ModuleList(
            TransformerBlock(width, settings.heads, settings.feed_forward, settings.dropout)
            for _ in range(settings.blocks)
        )
        hidden = torch.ones(HISTORY_LENGTH, HISTORY_LENGTH).tril(-1) * MASKED
        self.register_buffer("older", hidden, persistent=False)
        self.start_items(width)
        nn.init.normal_(self.event_embedding.weight, std=0.02)
        nn.init.normal_(self.position_embedding.weight, std=0.02)

    # ---- items --------------------------------------------------------------------------------------------

    def vectors_of(self, items: Tensor) -> Tensor:
        """float32[..., D]: vectors of the given items (int[...]), gradients kept."""
        return self.pooled(self.tables.known(items))

    @torch.no_grad()
    def item_vectors(self) -> Tensor:
        """float32[N+1, D]: all item vectors; row 0 (unknown) is zero."""
        was_training = self.training
        self.eval()
        items = torch.arange(self.tables.items + 1)
        vectors = torch.cat([self.vectors_of(some) for some in items.split(_ITEMS_AT_ONCE)])
        self.train(was_training)
        vectors[0] = 0
        return vectors

    # ---- shoppers -----------------------------------------------------------------------------------------

    def encode(self, history_item: Tensor, history_event: Tensor) -> Tensor:
        """float32[B, T, D]: what each token says of the next item; token t sees tokens t … T − 1.

        history_item, history_event: int[B, T], newest first, 0 = padding, T ≤ 50. Ids outside the tables are
        unknown: nothing looks at such a token, and it looks at the others.
        """
        length = history_item.shape[1]
        item = self.tables.known(history_item)
        event = safe_codes(history_event, HISTORY_ROWS)
        known = (item > 0).to(torch.float32)
        read = self.pooled(item) * known[..., None] + self.event_embedding(event)
        tokens: Tensor = self.dropout(self.token_norm(read + self.position_embedding.weight[:length]))
        mask = self.older[:length, :length] + ((1 - known) * MASKED)[:, None, None, :]
        for block in self.blocks:
            tokens = cast(TransformerBlock, block).attend(tokens, mask)
        return tokens

    def forward(self, history_item: Tensor, history_event: Tensor) -> Tensor:
        """The vector of each shopper as one interest, float32[B, 1, D]; zero where no item is known.

        history_item, history_event: int32[B, T], newest first, 0 = padding (T = 50).
        """
        item = self.tables.known(history_item)
        some = (item > 0).any(dim=1, keepdim=True).to(torch.float32)
        return (self.encode(history_item, history_event)[:, 0] * some)[:, None, :]
