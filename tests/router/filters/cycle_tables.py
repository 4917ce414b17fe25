"""Tables of standard categories and purchase cycles with just what a test says, for filters and scenes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.return_hazard import GRID_DAYS
from recall.purchase_cycles import PurchaseCycles
from recall.standard_categories import StandardCategories
from snapshot.string_column import StringColumn


def strings(values: Sequence[str]) -> StringColumn:
    encoded = [value.encode() for value in values]
    offsets = np.cumsum([0, *map(len, encoded)]).astype(np.int64)
    return StringColumn(offsets, np.frombuffer(b"".join(encoded), np.uint8))


def cycle_tables(
    fine: NDArray[np.int32],
    coarse: NDArray[np.int32],
    category_per_day: Mapping[str, Sequence[float]],
    item_per_day: Sequence[float],
    usual_per_day: Mapping[str, Sequence[float]] = MappingProxyType({}),
) -> dict[str, Any]:
    """Both tables by name: constant hazards per day, and rates of shoppers at large, of each code from 0."""
    names = [
        strings([""] + [f"{level}{code}" for code in range(1, int(column.max(initial=0)) + 1)])
        for level, column in (("fine", fine), ("coarse", coarse))
    ]

    def hazards(per_day: Sequence[float]) -> NDArray[np.float32]:
        return (np.array(per_day)[:, None] * GRID_DAYS).astype(np.float32)

    return {
        "standard_categories": StandardCategories(fine, coarse, *names),
        "purchase_cycles": PurchaseCycles(
            {level: hazards(per_day) for level, per_day in category_per_day.items()},
            hazards(item_per_day),
            np.ones(len(fine), np.float32),
            {level: hazards(per_day) for level, per_day in usual_per_day.items()},
        ),
    }


def no_cycles(size: int) -> dict[str, Any]:
    """Tables of one category in which nobody buys an item again, and everybody something else at once."""
    one = np.r_[0, np.ones(size)].astype(np.int32)
    return cycle_tables(one, one, {"fine": [0.0, 9.0], "coarse": [0.0, 9.0]}, [0.0, 0.0])
