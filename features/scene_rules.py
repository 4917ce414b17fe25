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
class ExposurePlan:
    """Exposures promised to an item or a group, or withheld from it, within a window.

    id         by which exposures are counted, over all scenes that it holds in
    item       dense item; 0 = the items of the group
    column     int32[N + 1], the groups of items; None where it is about an item
    code       the group
    guarantee  exposures to be reached, 0 = none
    cap        exposures at most; None = any number
    slack      exposures under the cap that a replica may show before the others know of them
    starts_at  unix second from which exposures count
    ends_at    unix second at which the window ends
    even       spread evenly over the window; False = as soon as possible
    """

    id: str
    item: int
    column: NDArray[np.int32] | None
    code: int
    guarantee: int
    cap: int | None
    slack: int
    starts_at: int
    ends_at: int
    even: bool

    def covers(self, items: NDArray[np.int32]) -> NDArray[np.bool_]:
        """bool[n], which of the dense items int32[n] it is about."""
        return np.asarray(items == self.item if self.column is None else self.column[items] == self.code)


@dataclass(frozen=True, slots=True)
class SceneRules:
    """Blocks, pins and exposure plans of a scene.

    blocked  bool[N + 1]; None = nothing is
    pins     one for a slot at most, first slots first
    plans    those whose window is open
    """

    blocked: NDArray[np.bool_] | None = None
    pins: tuple[Pin, ...] = ()
    plans: tuple[ExposurePlan, ...] = ()


NO_SCENE_RULES = SceneRules()
