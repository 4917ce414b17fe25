"""The network of item_units: an item's vector from what it shares with others, without one of its own."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from recall.embedding_table import shared_table
from recall.item_parts import ItemParts

_STEP = 16_384
_MASKED = -1e9


class UnitVectors(nn.Module):
    """The mean of an item's units: values of columns, selling points, and its title.

    A title is the mean of softmax(Q Kᵀ / √d) V over its words, with Q, K and V linear in their vectors.
    """

    def __init__(
        self, parts: ItemParts, points: NDArray[np.int32], count: int, width: int, random: torch.Generator
    ) -> None:
        """Vectors begin small and random; points: int32[N + 1, P], codes below `count`, 0 = none."""
        super().__init__()
        self.columns = nn.ModuleList(shared_table(size, width, random) for size in parts.sizes)
        self.words = shared_table(parts.vocabulary, width, random)
        self.points = shared_table(count, width, random)
        self.query, self.key, self.value = (nn.Linear(width, width, bias=False) for _ in range(3))
        for layer in (self.query, self.key, self.value):
            nn.init.eye_(layer.weight)
        self._scale = 1 / math.sqrt(width)
        self._column_codes = torch.from_numpy(parts.columns.astype(np.int64))
        self._word_codes = torch.from_numpy(parts.words.astype(np.int64))
        self._point_codes = torch.from_numpy(points.astype(np.int64))

    def title(self, words: torch.Tensor) -> torch.Tensor:
        """float32[b, D] of word codes int64[b, W], 0 = none; zero of a title without a word."""
        present = (words > 0).float()
        vectors = self.words(words)
        query, key, value = self.query(vectors), self.key(vectors), self.value(vectors)
        near = query @ key.transpose(1, 2) * self._scale + ((1 - present) * _MASKED)[:, None, :]
        attended = torch.softmax(near, dim=-1) @ value * present[..., None]
        mean: torch.Tensor = attended.sum(1) / present.sum(1, keepdim=True).clamp(min=1)
        return mean

    def forward(self, items: torch.Tensor) -> torch.Tensor:
        """float32[b, D] of items int64[b]; zero of an item that has no unit."""
        columns, words, points = (
            codes[items] for codes in (self._column_codes, self._word_codes, self._point_codes)
        )
        units = [self.title(words), *(table(columns[:, at]) for at, table in enumerate(self.columns))]
        known = torch.cat(((words > 0).any(1, keepdim=True), columns > 0, points > 0), dim=1).float()
        stacked = torch.cat((torch.stack(units, dim=1), self.points(points)), dim=1)
        mean: torch.Tensor = (stacked * known[..., None]).sum(1) / known.sum(1, keepdim=True).clamp(min=1)
        return mean


class ItemUnits(nn.Module):
    """Two sets of unit vectors: of an item itself, and of an item as the context of another."""

    def __init__(
        self, parts: ItemParts, points: NDArray[np.int32], count: int, width: int, random: torch.Generator
    ) -> None:
        """See `UnitVectors`."""
        super().__init__()
        self.own = UnitVectors(parts, points, count, width, random)
        self.beside = UnitVectors(parts, points, count, width, random)

    def forward(self, items: torch.Tensor, alone: torch.Tensor) -> torch.Tensor:
        """float32[b, D] of items int64[b]; every item is read as if it were alone."""
        del alone
        vectors: torch.Tensor = self.own(items)
        return vectors

    def context(self, items: torch.Tensor) -> torch.Tensor:
        """float32[..., D] of items int64[...] as contexts."""
        distinct, place = torch.unique(items, return_inverse=True)
        vectors: torch.Tensor = self.beside(distinct)[place]
        return vectors

    def every(self, alone: torch.Tensor) -> torch.Tensor:
        """float32[N + 1, D], the vectors of all items; alone: bool[N + 1]."""
        with torch.no_grad():
            rows = torch.arange(len(alone)).split(_STEP)
            return torch.cat([self(row, alone[row]) for row in rows])
