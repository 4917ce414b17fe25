"""What merchandisers' rules mean for one scene, in the dense ids of the snapshot that answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Pin:
    """What is shown at a slot: one item, or the best candidate of a group.

    slot    from 0
    item    dense item; 0 = the best of the group
    column  int32[N + 1], the groups of items; None where an item is pinned
    code    the group
    """

    slot: int
    item: int
    column: NDArray[np.int32] | None
    code: int


@dataclass(frozen=True, slots=True)
class SceneRules:
    """Blocks and pins of a scene.

    blocked  bool[N + 1]; None = nothing is
    pins     one for a slot at most, first slots first
    """

    blocked: NDArray[np.bool_] | None = None
    pins: tuple[Pin, ...] = ()


NO_SCENE_RULES = SceneRules()
