"""Labelled samples: what was shown, and what the shopper did with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

UInt64 = NDArray[np.uint64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """n impressions in the order in which their labels became known, which follows from the log alone.

    shown_s    int64[n], unix second at which the impression arrived
    shoppers   uint64[n], keys
    items      uint64[n], item keys
    categories uint64[n], 0 where the item has none
    scenes     uint64[n], keys
    answers    uint64[n], keys of the answers that showed the items, `text_key` of their attribution tokens
    served_s   int64[n], unix second at which the answer was made
    positions  int32[n], slot on the page from 1, 0 where unknown
    weathers   uint64[n], keys of the alerts in force when the answer was made, 0 where there were none
    clicked, carted, purchased   bool[n], within the time for which a label is waited
    regions    uint64[n], of the shopper's city as serving knew it, from the feature log; 0 where unknown
    crowds     uint64[n], of gender and age band, likewise
    """

    shown_s: NDArray[np.int64]
    shoppers: UInt64
    items: UInt64
    categories: UInt64
    scenes: UInt64
    answers: UInt64
    served_s: NDArray[np.int64]
    positions: NDArray[np.int32]
    weathers: UInt64
    clicked: Flags
    carted: Flags
    purchased: Flags
    regions: UInt64
    crowds: UInt64

    def __len__(self) -> int:
        """Number of samples."""
        return self.shown_s.size

    @classmethod
    def joined(cls, parts: Sequence[Samples]) -> Samples:
        """The samples of `parts`, in their order; at least one part."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))
