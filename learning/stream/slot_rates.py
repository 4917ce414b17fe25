"""How often what a slot shows is clicked, scene by scene: what an item owes to its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]

SLOTS = 32
"""Slots that are told apart; further ones count as the last."""
_ONE = 1 << 12
_PRIOR = 50.0
"""Impressions with the scene's own rate that each slot begins with."""
_LARGEST = 4_096


class SlotRates:
    """Decayed impressions and clicks by scene and slot.

    Weights are those at the beginning of a minute of the log, so that the order within it does not matter.
    """

    def __init__(self) -> None:
        """Nothing is counted yet."""
        self._scenes: dict[str, int] = {}
        self._counts: Int64 = np.zeros((0, 2, SLOTS), np.int64)
        self._weights: Int64 = np.zeros((0, SLOTS), np.int64)
        self._weighed: list[int] = []

    def fade(self, factor: float) -> None:
        """Multiplies what was counted by a factor of at most 1."""
        self._counts = np.rint(self._counts * factor).astype(np.int64)

    def weights(self, scene: str, slots: Int64, tick: int) -> Int64:
        """int64[n], 1…4,096: rate of each slot (from 0) relative to the scene's best, at minute `tick`."""
        row = self._row(scene)
        if self._weighed[row] != tick:
            self._weighed[row] = tick
            shown, clicked = self._counts[row] / _ONE
            rate = (clicked.sum() + 1.0) / (shown.sum() + 20.0)
            rates = (clicked + _PRIOR * rate) / (shown + _PRIOR)
            self._weights[row] = np.maximum(1, np.rint(rates / rates.max() * _LARGEST))
        return np.asarray(self._weights[row][np.minimum(slots, SLOTS - 1)], np.int64)

    def add(self, scene: str, slots: Int64, clicked: NDArray[np.bool_]) -> None:
        """Counts impressions at slots int64[n], from 0, and which of them were clicked, bool[n]."""
        row, at = self._row(scene), np.minimum(slots, SLOTS - 1)
        self._counts[row, 0] += np.bincount(at, minlength=SLOTS) * _ONE
        self._counts[row, 1] += np.bincount(at[clicked], minlength=SLOTS) * _ONE

    def exported(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Everything: what JSON can hold, and arrays by name."""
        order = [self._scenes[name] for name in sorted(self._scenes)]
        numbers = {"scenes": sorted(self._scenes), "weighed": [self._weighed[row] for row in order]}
        return numbers, {"counts": self._counts[order], "weights": self._weights[order]}

    def load(self, numbers: Mapping[str, Any], counts: NDArray[Any], weights: NDArray[Any]) -> None:
        """Replaces everything by what `exported` gave."""
        self._scenes = {name: row for row, name in enumerate(numbers["scenes"])}
        self._weighed = list(numbers["weighed"])
        self._counts, self._weights = counts.copy(), weights.copy()

    def _row(self, scene: str) -> int:
        row = self._scenes.get(scene)
        if row is None:
            row = self._scenes[scene] = len(self._weighed)
            self._weighed.append(-1)
            self._counts = np.concatenate((self._counts, np.zeros((1, 2, SLOTS), np.int64)))
            self._weights = np.concatenate((self._weights, np.zeros((1, SLOTS), np.int64)))
        return row
