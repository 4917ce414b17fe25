"""FTRL-proximal logistic regression, one sample after the other.

McMahan et al., "Ad click prediction: a view from the trenches", KDD 2013, algorithm 1. In addition both sums
of an input, of gradients and of their squares, are halved every half-life: weights shrink towards 0 and learn
faster again, so that a change of taste is followed.

For each sample with active inputs i and label y:

    w_i = −(z_i − clip(z_i, −l1, l1)) / ((β + √n_i) / α + l2)      p = 1 / (1 + exp(−Σ w_i))     g = p − y
    σ_i = (√(n_i + g²) − √n_i) / α      z_i += g − σ_i · w_i       n_i += g²

Samples are learned in the order given, so the result does not depend on how they were cut into batches.
"""

from __future__ import annotations

from itertools import pairwise
from math import exp

import numpy as np
from numpy.typing import NDArray

from learning.ranker.settings import OnlineRankerSettings
from state.live_counters.decay import TICK_S
from state.live_model.inputs import NONE, Inputs

Float64 = NDArray[np.float64]
_FURTHEST = 35.0


class Ftrl:
    """The sums of every input."""

    def __init__(self, settings: OnlineRankerSettings) -> None:
        """Nothing is learned yet."""
        self._settings = settings
        self._factor = 2 ** (-TICK_S / (3_600 * settings.half_life_hours))
        self.z: Float64 = np.zeros(1 << settings.bits)
        self.n: Float64 = np.zeros(1 << settings.bits)
        self.tick = 0
        """Minute of the log up to which what was learned has faded."""

    def learn(self, inputs: Inputs, clicked: NDArray[np.bool_], ticks: NDArray[np.int64]) -> Float64:
        """Learns samples: inputs int32[k, f], labels bool[k], and their minutes int64[k], which never fall.

        Returns float64[k], the log-odds of each before it was learned: progressive validation (Blum, Kalai
        and Langford, COLT 1999).
        """
        before = np.empty(clicked.size)
        starts = [0, *(np.flatnonzero(np.diff(ticks)) + 1).tolist(), clicked.size]
        for start, end in pairwise(starts):
            if start < end:
                self._fade(int(ticks[start]))
                before[start:end] = self._learn(inputs[start:end], clicked[start:end])
        return before

    def weights(self) -> NDArray[np.float32]:
        """float32[2^bits], of every input."""
        settings = self._settings
        shrunk = self.z - np.clip(self.z, -settings.l1, settings.l1)
        weights = -shrunk / ((settings.beta + np.sqrt(self.n)) / settings.alpha + settings.l2)
        weights[NONE] = 0
        return weights.astype(np.float32)

    def _learn(self, inputs: Inputs, clicked: NDArray[np.bool_]) -> Float64:
        settings, z, n = self._settings, self.z, self.n
        alpha, beta, l1, l2 = settings.alpha, settings.beta, settings.l1, settings.l2
        before = np.empty(clicked.size)
        maximum, minimum, root = np.maximum, np.minimum, np.sqrt
        for row, (active, label) in enumerate(zip(inputs, clicked.tolist(), strict=True)):
            sums, squares = z[active], n[active]
            roots = root(squares)
            weights = (maximum(minimum(sums, l1), -l1) - sums) / ((beta + roots) / alpha + l2)
            log_odds = before[row] = weights.sum()
            gradient = 1 / (1 + exp(-min(max(log_odds, -_FURTHEST), _FURTHEST))) - label
            squares += gradient * gradient
            z[active] = sums + (gradient - (root(squares) - roots) / alpha * weights)
            n[active] = squares
            # A field without a value adds nothing.
            z[NONE] = n[NONE] = 0.0
        return before

    def _fade(self, tick: int) -> None:
        later = tick - self.tick
        if later > 0 and self.tick:
            factor = self._factor**later
            self.z *= factor
            self.n *= factor
        self.tick = max(tick, self.tick)
