"""At which place each channel recalled each candidate, as further columns of the candidates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.candidates import Candidates, Int32
from pipeline.stages import RecalledColumns

PREFIX = "rank."
"""A column is named by this and the channel."""
_FEW = 2**16
"""Below it a table by item fits the processor's nearest caches."""


def with_channel_ranks(
    candidates: Candidates, recalled: Sequence[RecalledColumns], names: Sequence[str]
) -> Candidates:
    """The candidates with a column `rank.<channel>` float32[n] for each channel.

    It counts from 1, the channel's best item; NaN where the channel did not recall the candidate.

    recalled  the channels' answers, each best first; names  of the channels, in the same order
    """
    ranks = np.full((len(names), len(candidates)), np.nan, np.float32)
    asked = np.concatenate([answer.items for answer in recalled]) if recalled else np.empty(0, np.int32)
    if len(candidates) and asked.size:
        place = _places(candidates.items, asked)
        begin = 0
        for row, answer in enumerate(recalled):
            own = place[begin : begin + answer.items.size]
            (found,) = np.nonzero(own >= 0)
            ranks[row, own[found]] = found + 1
            begin += answer.items.size
    return candidates.with_columns({PREFIX + name: ranks[row] for row, name in enumerate(names)})


def _places(items: Int32, asked: Int32) -> NDArray[np.intp]:
    """intp[m]: the position of each of `asked` int32[m] among distinct `items` int32[n], −1 where absent."""
    highest = int(items.max())
    if highest < _FEW:
        # A table by item is several times faster than a search.
        table = np.full(highest + 2, -1, np.intp)
        table[items] = np.arange(items.size)
        return np.asarray(table[np.minimum(asked, highest + 1)])
    order = np.argsort(items)
    ascending = items[order]
    at = np.minimum(np.searchsorted(ascending, asked), order.size - 1)
    return np.where(ascending[at] == asked, order[at], -1)
