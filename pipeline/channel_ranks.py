"""At which place each channel recalled each candidate, as further columns of the candidates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.candidates import Candidates, Float32
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
    order = np.argsort(candidates.items)
    ascending = candidates.items[order]
    columns: dict[str, Float32] = {}
    for name, answer in zip(names, recalled, strict=True):
        column = np.full(len(candidates), np.nan, np.float32)
        if order.size:
            at = np.minimum(np.searchsorted(ascending, answer.items), order.size - 1)
            (places,) = np.nonzero(ascending[at] == answer.items)
            column[order[at[places]]] = places + 1
        columns[PREFIX + name] = column
    return candidates.with_columns(columns)
