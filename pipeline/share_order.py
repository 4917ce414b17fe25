"""An order whose every head has a share of candidates of one kind, spread over the page."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.candidates import Int32

Mask = npt.NDArray[np.bool_]
Positions = npt.NDArray[np.intp]

ROUNDING = 1e-9
"""Added before a share of slots is rounded down: 0.29 · 100 is 28.999…"""


def with_share(
    counted: Mask, eligible: Mask, groups: Sequence[Int32], slots: int, share: float, apart: int
) -> Positions:
    """An order of n candidates, given in page order, whose every head has its share of counted ones.

    Where the first s slots have ⌊share · s⌋ counted candidates without it, slot s goes to the next candidate
    in the given order. Otherwise it goes to the first eligible one that shares no group with the `apart`
    candidates before it and the next `apart` after it; where there is none such, to the first eligible one;
    where none is left, to the next candidate as well.

    counted   bool[n]: candidates that count towards the share
    eligible  bool[n]: those of them that may be moved up
    groups    one int32[n] per kind of group, 0 = none
    slots     for how many slots the share holds, at most n
    apart     not negative

    Returns intp[n], a permutation. More `slots` change nothing in the slots before.
    """
    count = counted.size
    counts, movable = counted.tolist(), np.flatnonzero(eligible)
    placed = np.zeros(count, np.bool_)
    page: list[int] = []
    following = have = 0
    for slot in range(1, slots + 1):
        while placed[following]:
            following += 1
        chosen = following
        if have < math.floor(share * slot + ROUNDING) and not counts[following]:
            movable = movable[~placed[movable]]
            if movable.size:
                after = following + np.flatnonzero(~placed[following : following + apart + len(page)])[:apart]
                near = np.concatenate((np.array(page[max(0, len(page) - apart) :], np.intp), after))
                chosen = _first_unlike(movable, near, groups)
        page.append(chosen)
        placed[chosen] = True
        have += counts[chosen]
    return np.concatenate((np.array(page, np.intp), np.flatnonzero(~placed)))


def _first_unlike(movable: Positions, near: Positions, groups: Sequence[Int32]) -> int:
    """The first candidate that shares no group with those near; the first one where all do."""
    alike = np.zeros((movable.size, near.size), np.bool_)
    for group in groups:
        alike |= (group[movable, None] == group[near]) & (group[near] > 0)
    # One that is due in the next slots is among those near.
    alike &= movable[:, None] != near
    return int(movable[alike.any(axis=1).argmin()])
