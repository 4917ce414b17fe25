"""Side features of every item, as tables that live inside the networks' graphs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from snapshot.catalogue import Catalogue
from snapshot.item_columns import ITEM_COLUMNS

CODE_FIELDS = ("category", "standard_category", "brand", "shop", "price_band")


@dataclass(frozen=True, slots=True)
class ItemFeatures:
    """Codes of every item, row 0 the unknown item.

    codes: int32[N+1] for each of `CODE_FIELDS`, 0 = unknown.
    code_counts: the largest code of each field, so that embedding tables do not depend on the items at hand.
    popularity: float32[N+1], log1p of the users who took the item before the validation cut.
    """

    codes: dict[str, np.ndarray]
    code_counts: dict[str, int]
    popularity: np.ndarray

    @classmethod
    def from_catalogue(cls, catalogue: Catalogue) -> ItemFeatures:
        """Copies the columns the networks read out of a data set's or a snapshot's catalogue."""
        codes = {
            field: np.ascontiguousarray(catalogue.column(field), dtype=np.int32) for field in CODE_FIELDS
        }
        code_counts = {field: int(column.max(initial=0)) for field, column in codes.items()}
        for field in CODE_FIELDS:
            if ITEM_COLUMNS[field].kind == "group":
                code_counts[field] = max(code_counts[field], catalogue.code_count(field))
        popularity = np.nan_to_num(np.asarray(catalogue.popularity, dtype=np.float32))
        return cls(codes=codes, code_counts=code_counts, popularity=popularity)

    @classmethod
    def from_weights(cls, weights: Mapping[str, Tensor], code_counts: dict[str, int]) -> ItemFeatures:
        """The tables inside a network's saved weights; raises KeyError where one is missing."""
        tables = {name: weights[f"tables.{name}"].numpy() for name in (*CODE_FIELDS, "popularity")}
        return cls({field: tables[field] for field in CODE_FIELDS}, dict(code_counts), tables["popularity"])

    @property
    def items(self) -> int:
        """N: how many items are known."""
        return len(self.popularity) - 1


def safe_codes(codes: Tensor, size: int) -> Tensor:
    """Codes of any shape as int64, those outside 0…size−1 as 0 (unknown); the same in an exported graph."""
    inside = (codes >= 0) & (codes < size)
    return torch.where(inside, codes, torch.zeros_like(codes)).long()


class ItemTables(nn.Module):
    """`ItemFeatures` as buffers: ids come in, codes come out, inside the graph.

    Items taken by fewer than `min_users` shoppers share row 0 of the id embedding, that of the unknown item:
    a vector learned from one or two shoppers is memory, not knowledge. `id_rows` counts the rows.
    """

    id_row: Tensor
    popularity: Tensor

    def __init__(self, features: ItemFeatures, min_users: int) -> None:
        super().__init__()
        self.items = features.items
        common = features.popularity >= np.log1p(np.float32(min_users)) - 1e-6
        common[0] = False
        id_row = np.where(common, np.cumsum(common), 0).astype(np.int32)
        self.id_rows = int(id_row.max(initial=0)) + 1
        self.register_buffer("id_row", torch.from_numpy(id_row), persistent=False)
        for field in CODE_FIELDS:
            self.register_buffer(field, torch.from_numpy(features.codes[field].copy()))
        self.register_buffer("popularity", torch.from_numpy(features.popularity.copy()))

    def known(self, items: Tensor) -> Tensor:
        """Ids of any shape as int64, those outside 0…N as 0 (unknown)."""
        return safe_codes(items, self.items + 1)

    def codes(self, field: str, items: Tensor) -> Tensor:
        """int32 codes of one of `CODE_FIELDS` for ids that went through `known`."""
        table: Tensor = getattr(self, field)
        return table[items]
