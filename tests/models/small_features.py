"""Item tables and shoppers made up for tests of the networks."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from models.item_features import CODE_FIELDS, ItemFeatures

ITEMS = 60
PROFILE_COUNTS = (2, 4, 0, 3)


def item_features(items: int = ITEMS, seed: int = 0) -> ItemFeatures:
    """Random codes, two thirds of them known, and popularities of 0 to 30 shoppers."""
    rng = np.random.default_rng(seed)
    codes = {field: rng.integers(0, 6, items + 1).astype(np.int32) for field in CODE_FIELDS}
    for column in codes.values():
        column[0] = 0
    popularity = np.log1p(rng.integers(0, 30, items + 1)).astype(np.float32)
    popularity[0] = 0
    return ItemFeatures(codes, dict.fromkeys(CODE_FIELDS, 5), popularity)


def shoppers(lengths: list[int], seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Histories of the given lengths and random profiles and contexts, as `Bst.forward` takes them."""
    rng = np.random.default_rng(seed)
    batch = len(lengths)
    filled = np.arange(50)[None, :] < np.array(lengths)[:, None]
    item = np.where(filled, rng.integers(1, ITEMS + 1, (batch, 50)), 0)
    event = np.where(filled, rng.integers(2, 6, (batch, 50)), 0)
    age = np.where(filled, np.sort(rng.integers(1, 25, (batch, 50)), axis=1), 0)
    profile = np.stack([rng.integers(0, count + 1, batch) for count in PROFILE_COUNTS], axis=1)
    context = np.stack([rng.integers(0, size, batch) for size in (25, 8, 5)], axis=1)
    item_, event_, age_, profile_, context_ = (
        torch.from_numpy(column.astype(np.int32)) for column in (item, event, age, profile, context)
    )
    return item_, event_, age_, profile_, context_


def candidates(count: int, rows: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Candidate items and the rows of their shoppers, int32[count] each."""
    rng = np.random.default_rng(seed)
    return (
        torch.from_numpy(rng.integers(1, ITEMS + 1, count).astype(np.int32)),
        torch.from_numpy(rng.integers(0, rows, count).astype(np.int32)),
    )
