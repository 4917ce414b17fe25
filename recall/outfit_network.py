"""What goes together by looks: a network over an item's picture and category, which a shop's sets teach.

    f(i) = normalised W₂ · relu(W₁ · [picture of i, embedding of i's category]),    match(i, j) = f(i) · f(j)

Two items of a set are drawn together, away from other items of the second one's category (a softmax over
sampled ones), so that what separates categories is not learned: a siamese network as of Veit et al.,
"Learning Visual Clothing Style with Heterogeneous Dyadic Co-occurrences", ICCV 2015. Offline only, but for
the table of f.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from recall.outfit_sets import OutfitSets

if TYPE_CHECKING:
    from snapshot.catalogue import Catalogue

WIDTH = 32
"""Numbers of f."""
_HIDDEN, _OF_CATEGORY = 64, 16
_STEPS, _BATCH, _OTHERS = 300, 128, 8
_SCALE, _RATE, _DECAY = 12.0, 3e-3, 0.05
_BLOCK = 65_536


@dataclass(frozen=True)
class Pairs:
    """Ordered pairs of one set's items, of two categories, each with a picture: columns of equal length.

    Attributes:
        set: int32[m], which set.
        item, other: int32[m], 1…N.
    """

    set: NDArray[np.int32]
    item: NDArray[np.int32]
    other: NDArray[np.int32]

    def take(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> Pairs:
        """The pairs at rows, or where a mask says so."""
        return Pairs(self.set[rows], self.item[rows], self.other[rows])


def pairs_of(sets: OutfitSets, category: NDArray[np.int32], usable: NDArray[np.bool_]) -> Pairs:
    """All pairs of items of `sets` whose categories differ.

    Args:
        sets: sorted by set.
        category: int32[N + 1], 0 = none.
        usable: bool[N + 1], items that may be in a pair.
    """
    kept = usable[sets.item] & (category[sets.item] > 0)
    number, items = sets.number[kept], sets.item[kept]
    bounds = np.flatnonzero(np.diff(number)) + 1
    parts: list[tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]] = []
    for own, of in zip(np.split(items, bounds), np.split(number, bounds), strict=True):
        row, col = np.nonzero(category[own][:, None] != category[own][None, :])
        if len(row):
            parts.append((np.full(len(row), of[0], np.int32), own[row], own[col]))
    if not parts:
        empty = np.empty(0, np.int32)
        return Pairs(empty, empty, empty)
    return Pairs(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def first_pictures(items: NDArray[np.int32], size: int) -> NDArray[np.int64]:
    """int64[size + 1]: the row of each item's first picture, −1 where it has none; `items` is ascending."""
    rows = np.full(size + 1, -1, np.int64)
    pictured, first = np.unique(items, return_index=True)
    rows[pictured] = first
    return rows


def train(
    pairs: Pairs,
    rows: NDArray[np.int64],
    vectors: NDArray[np.float32],
    catalogue: Catalogue,
    seed: int,
) -> NDArray[np.float32]:
    """float32[N + 1, 32]: f of every item with a picture and a category, others are 0.

    Args:
        pairs: to learn from, at least one.
        rows: as `first_pictures` has them.
        vectors: float32[P, D], of length 1.
        catalogue: whose categories count.
        seed: of everything that is drawn.
    """
    import torch
    from torch import nn
    from torch.nn import functional

    category = np.asarray(catalogue.category).astype(np.int64)
    shown = np.flatnonzero((rows >= 0) & (category > 0))
    # Others of a category are drawn between its bounds among the items in the order of their categories.
    by_category = shown[np.argsort(category[shown], kind="stable")]
    begins = np.searchsorted(category[by_category], category[pairs.other])
    ends = np.searchsorted(category[by_category], category[pairs.other], side="right")
    random = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        codes = nn.Embedding(catalogue.code_count("category") + 1, _OF_CATEGORY)
        layers = nn.Sequential(
            nn.Linear(vectors.shape[1] + _OF_CATEGORY, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, WIDTH)
        )
    optimiser = torch.optim.AdamW([*codes.parameters(), *layers.parameters()], _RATE, weight_decay=_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, _STEPS)

    def f(items: NDArray[Any]) -> torch.Tensor:
        pictures = torch.from_numpy(np.ascontiguousarray(vectors[rows[items]], np.float32))
        joined = torch.cat((pictures, codes(torch.from_numpy(category[items]))), 1)
        return functional.normalize(layers(joined), dim=1)

    for _ in range(_STEPS):
        drawn = random.integers(0, len(pairs.item), _BATCH)
        own, right = pairs.item[drawn], pairs.other[drawn]
        others = by_category[random.integers(begins[drawn], ends[drawn], (_OTHERS, _BATCH))]
        asked, found = f(own), f(np.concatenate((right[None], others)).ravel())
        scores = _SCALE * torch.einsum("bd,obd->bo", asked, found.view(_OTHERS + 1, _BATCH, WIDTH))
        # Drawn again by chance, the right one is no wrong one.
        again = torch.from_numpy((others == right).T)
        scores[:, 1:] = scores[:, 1:].masked_fill(again, -torch.inf)
        loss = functional.cross_entropy(scores, torch.zeros(_BATCH, dtype=torch.int64))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    made = np.zeros((catalogue.size + 1, WIDTH), np.float32)
    with torch.no_grad():
        for start in range(0, len(shown), _BLOCK):
            made[shown[start : start + _BLOCK]] = f(shown[start : start + _BLOCK]).numpy()
    return made
