"""Item vectors shared by the recall networks: an item's own embedding pooled with those of what it is."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from models.item_features import ItemFeatures, ItemTables

POOLED_FIELDS = ("category", "brand")


class PooledItems(nn.Module):
    """Base of a network that finds items by their vectors.

    A pooled vector is the mean of the embeddings of the item's id, category and brand, where the data set has
    any, so an item that training never saw has a vector by what it is.
    """

    def __init__(
        self, features: ItemFeatures, width: int, min_item_users: int, id_dropout: float, *, sparse: bool
    ) -> None:
        """Draws new embeddings.

        Args:
            features: side features of every item.
            width: floats of a vector.
            min_item_users: items taken by fewer shoppers share the embedding of the unknown item.
            id_dropout: share of ids replaced by the unknown item's in training.
            sparse: whether a step moves only the ids of its batch, and not the whole table.
        """
        super().__init__()
        self.code_counts = dict(features.code_counts)
        self.tables = ItemTables(features, min_item_users)
        self.item_embedding = nn.Embedding(self.tables.id_rows, width, sparse=sparse)
        self.field_embeddings = nn.ModuleDict(
            {
                field: nn.Embedding(self.code_counts[field] + 1, width)
                for field in POOLED_FIELDS
                if self.code_counts[field] > 0
            }
        )
        self._id_dropout = id_dropout

    def start_items(self, width: int) -> None:
        """Sets the starting values: what items share is large, what is their own small.

        An item never seen in training must point where its category and brand point.
        """
        for module in self.field_embeddings.modules():
            if isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=1 / math.sqrt(width))
        nn.init.normal_(self.item_embedding.weight, std=0.1 / math.sqrt(width))

    def pooled(self, items: Tensor) -> Tensor:
        """float32[..., D] of ids that went through `tables.known`: the mean of id, category and brand."""
        own = self.tables.id_row[items]
        if self.training and self._id_dropout > 0:
            own = torch.where(torch.rand(items.shape) < self._id_dropout, 0, own)
        total: Tensor = self.item_embedding(own)
        for field, embedding in self.field_embeddings.items():
            total = total + embedding(self.tables.codes(field, items))
        return total / (1 + len(self.field_embeddings))
