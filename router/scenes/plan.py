"""Which arms a shopper is in, and what a scene is for them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from foundation.statistics.assignment import bucket
from router.scenes.settings import SceneSettings

NOWHERE = -1
"""Represents a layer in which the shopper is in no experiment."""

Arms = tuple[int, ...]
"""Position of the shopper's arm in each layer of a scene, or `NOWHERE`."""


@dataclass(frozen=True, slots=True)
class PlannedArm:
    """An arm and the buckets [first, end) of its layer that it takes."""

    experiment: str
    name: str
    first: int
    end: int
    patch: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PlannedLayer:
    """The arms of one layer that concern one scene, by rising buckets."""

    salt: str
    arms: tuple[PlannedArm, ...]
    starts: tuple[int, ...]

    @classmethod
    def of(cls, salt: str, arms: list[PlannedArm]) -> PlannedLayer:
        """The layer of these arms, whose buckets do not overlap."""
        ordered = tuple(sorted(arms, key=lambda arm: arm.first))
        return cls(salt, ordered, tuple(arm.first for arm in ordered))

    def position(self, user_id: str) -> int:
        """Position of the shopper's arm, or `NOWHERE`."""
        at = bucket(self.salt, user_id)
        position = bisect_right(self.starts, at) - 1
        return position if position >= 0 and at < self.arms[position].end else NOWHERE


@dataclass(frozen=True, slots=True)
class Choice:
    """What a scene is for shoppers in the same arms: experiment → arm, and the settings these give."""

    arms: Mapping[str, str]
    settings: SceneSettings


@dataclass(frozen=True, slots=True)
class ScenePlan:
    """The experiments of one scene: `choices` holds every combination of arms a shopper can be in."""

    layers: tuple[PlannedLayer, ...]
    choices: Mapping[Arms, Choice]

    def arms_of(self, user_id: str) -> Arms:
        """The shopper's arms, a key of `choices`; some 1.5 µs per layer.

        An anonymous shopper (empty `user_id`) is in none: nothing would keep them on their side.
        """
        if not user_id:
            return (NOWHERE,) * len(self.layers)
        return tuple(layer.position(user_id) for layer in self.layers)
