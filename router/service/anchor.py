"""The item whose product page is shown, and for which related items are wanted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snapshot.catalogue import Catalogue

ANCHOR_UNKNOWN = "anchor_unknown"


@dataclass(frozen=True, slots=True)
class Anchor:
    """The anchor as int32[1]; int32[0] where the catalogue lacks it; None where the request has none."""

    items: NDArray[np.int32] | None
    degraded: tuple[str, ...] = ()


def find_anchor(catalogue: Catalogue, item_id: str) -> Anchor:
    """The anchor `item_id`; empty = the request has none."""
    if not item_id:
        return Anchor(None)
    items = catalogue.dense([item_id])
    if items[0] == 0:
        return Anchor(items[:0], (ANCHOR_UNKNOWN,))
    return Anchor(items)
