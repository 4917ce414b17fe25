"""What BST computes of an item without knowing the shopper: a constant per item, so a table can hold it.

Of the masked form's first transformer block these are the query, the score of the item's key against its own
query, and the value; of the MLP's first layer, everything that embeds the item itself. What is left for a
request is attention to the history, the feed-forward layer, and how the item meets the history.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.block_attention import Rows, rows_of
from models.bst_network import POPULARITY_BANDS, Bst

_ITEMS_AT_ONCE = 8192


class ItemConstants(nn.Module):
    """Constants of items, each computed in the graph until `fold` puts it into a table."""

    def __init__(self, bst: Bst) -> None:
        """Takes the tables and weights of a trained network; nothing is folded yet."""
        super().__init__()
        self.bst = bst
        self.block = bst._transformer()[0]
        self._computed = {
            "rows": self._rows,
            "first_layer": self._first_layer,
        }
        self._folded: set[str] = set()

    def fold(self, budget_bytes: int) -> dict[str, int]:
        """Fills a table for each constant, the narrow first, while all stay within `budget_bytes` together.

        Returns the bytes of each table filled; the others are computed for each candidate as before.
        """
        items = torch.arange(self.bst.tables.items + 1)
        sizes: dict[str, int] = {}
        for name, compute in self._computed.items():
            with torch.no_grad():
                size = 4 * len(items) * compute(items[:1]).shape[-1]
                if sum(sizes.values()) + size > budget_bytes:
                    break
                table = torch.cat([compute(some) for some in items.split(_ITEMS_AT_ONCE)])
            self.register_buffer(f"table_{name}", table, persistent=False)
            self._folded.add(name)
            sizes[name] = size
        return sizes

    def rows(self, items: Tensor) -> Rows:
        """The items as candidates in the first block; items: int64[m], safe ids."""
        # One table: a candidate's row is read from memory once, wherever in it the item is.
        packed = self._constant("rows", items)
        width = self.bst.settings.dimension
        return Rows(*torch.split(packed, [packed.shape[1] - 2 * width, width, width], dim=1))

    def first_layer(self, items: Tensor) -> Tensor:
        """float32[m, hidden[0]]: what the item's own embeddings add to the MLP's first layer."""
        return self._constant("first_layer", items)

    def _constant(self, name: str, items: Tensor) -> Tensor:
        if name in self._folded:
            return torch.index_select(getattr(self, f"table_{name}"), 0, items)
        return self._computed[name](items)

    def _token(self, items: Tensor) -> Tensor:
        return self.bst._candidate_token(items)

    def _rows(self, items: Tensor) -> Tensor:
        return torch.cat(rows_of(self.block, self._token(items)), dim=1)

    def _first_layer(self, items: Tensor) -> Tensor:
        bst = self.bst
        side = [embedding(bst.tables.codes(field, items)) for field, embedding in bst.side_embeddings.items()]
        popularity = bst.tables.popularity[items]
        side.append(bst.popularity_embedding((popularity * 2).clamp(0, POPULARITY_BANDS - 1).long()))
        columns = torch.cat([self._token(items), *side, popularity[..., None]], dim=-1)
        weight = bst.candidate_half.weight
        # The columns of the encoded token stand between those of the token and those of the side features.
        width, end = bst.settings.dimension, bst.settings.dimension + columns.shape[-1]
        own = torch.cat((weight[:, :width], weight[:, 2 * width : end]), dim=1)
        return functional.linear(columns, own)
