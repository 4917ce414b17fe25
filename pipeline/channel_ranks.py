"""At which place each channel recalled each candidate, as further columns of the candidates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.candidates import Candidates
from pipeline.stages import RecalledColumns

PREFIX = "rank."
"""A column is named by this and the channel."""


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
        order = np.argsort(candidates.items)
        ascending = candidates.items[order]
        at = np.minimum(np.searchsorted(ascending, asked), order.size - 1)
        (found,) = np.nonzero(ascending[at] == asked)
        ends = np.cumsum([answer.items.size for answer in recalled])
        channel = np.searchsorted(ends, found, side="right")
        begin = np.concatenate(([0], ends[:-1]))[channel]
        ranks[channel, order[at[found]]] = found - begin + 1
    return candidates.with_columns({PREFIX + name: ranks[row] for row, name in enumerate(names)})
