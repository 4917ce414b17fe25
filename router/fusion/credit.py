"""Which channels an item on a page is due to, so that what shoppers do with it is counted for them.

With score(i) = Σ share_c / (offset + rank_c(i)), an item's credit to channel c is c's part of the score. It
is by how many per cent the score rises where the share does by one (∂ ln score / ∂ ln share): what an item
earned is credited as far as the channel's share put it there. Shares are those of the configuration, not
the moved ones, which would credit a channel for having been moved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.candidates import Candidates
from pipeline.channel_ranks import PREFIX
from state.feature_log.logged_page import CREDIT


@dataclass(frozen=True, slots=True)
class CreditRule:
    """How a scene's items are credited.

    shares  channel → its configured share, above 0: other channels earn nothing
    offset  added to ranks, not negative
    """

    shares: Mapping[str, float]
    offset: float


def credits_of(items: Candidates, rule: CreditRule) -> NDArray[np.uint8]:
    """uint8[n, c] in units of 1/`CREDIT`: what of each of n items is due to each channel of the rule.

    Args:
        items: with the columns of `pipeline.channel_ranks`. What no channel with a share recalled, such as
            pinned items, has 0 in all of them.
        rule: of the scene.
    """
    parts = np.zeros((len(items), len(rule.shares)))
    for column, (name, share) in enumerate(rule.shares.items()):
        ranks = items.columns.get(PREFIX + name)
        if ranks is not None:
            parts[:, column] = np.nan_to_num(share / (rule.offset + ranks.astype(np.float64)), nan=0.0)
    total = parts.sum(axis=1, keepdims=True)
    parts = np.divide(parts, total, out=np.zeros_like(parts), where=total > 0)
    return np.asarray(np.rint(parts * CREDIT), np.uint8)
