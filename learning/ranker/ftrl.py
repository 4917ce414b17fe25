"""FTRL-proximal logistic regression, one sample after the other, and a correction of it that forgets quickly.

McMahan et al., "Ad click prediction: a view from the trenches", KDD 2013, algorithm 1. In addition both sums
of an input, of gradients and of their squares, are halved every half-life: weights shrink towards 0 and learn
faster again, so that a change of taste is followed.

For each sample with active inputs i and label y:

    w_i = −(z_i − clip(z_i, −l1, l1)) / ((β + √n_i) / α + l2)      p = 1 / (1 + exp(−Σ w_i))     g = p − y
    σ_i = (√(n_i + g²) − √n_i) / α      z_i += g − σ_i · w_i       n_i += g²

The correction is a second regression over the same inputs, which learns what is left: its probability is that
of Σ (w_i + c_i), and after each sample the sums of the inputs that were active are multiplied by
1 − 1 / `uses`, so that an input remembers about its latest `uses` samples. Where nothing changes, `l1` keeps
most of its weights at 0.

How far it is believed, `trust` t, follows from how well both predict, each sample before it is learned: they
are two experts, weighted by fixed share (Herbster and Warmuth, "Tracking the best expert", Machine Learning
32, 1998):

    u = t · P(y | with) / (t · P(y | with) + (1 − t) · P(y | without))    t = (1 − share) u + share (1 − u)

The prediction, and what is published, are the log-odds Σ (w_i + t · c_i): one vector of weights.

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
_PART = 1 << 16


class Ftrl:
    """The sums of every input, float64[2^bits, r]: one column lasts, one is of the correction."""

    def __init__(self, settings: OnlineRankerSettings) -> None:
        """Nothing is learned yet."""
        correction = settings.correction
        self._factor = 2 ** (-TICK_S / (3_600 * settings.half_life_hours))
        self._corrected = correction.enabled
        self._share = correction.share
        columns = [(settings.alpha, settings.l1, 1.0)]
        if self._corrected:
            columns.append((correction.alpha, correction.l1, 1 - 1 / correction.uses))
        alpha, self._l1, self._kept = np.array(columns).T
        self._speed = 1 / alpha
        self._begin = settings.beta / alpha + settings.l2
        self.z: Float64 = np.zeros((1 << settings.bits, len(columns)))
        self.n: Float64 = np.zeros_like(self.z)
        self.trust = 0.5
        """Weight of the correction, 0…1."""
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
        weights = np.empty(len(self.z), np.float32)
        # In parts: whole columns at once would take several times the memory of the sums.
        for start in range(0, weights.size, _PART):
            part = slice(start, start + _PART)
            each = self._weights(self.z[part], np.sqrt(self.n[part]))
            weights[part] = each[:, 0] + self.trust * each[:, 1] if self._corrected else each[:, 0]
        weights[NONE] = 0
        return weights

    def _weights(self, sums: Float64, roots: Float64) -> Float64:
        """float64[k, r] of sums of gradients and roots of the sums of their squares, likewise."""
        weights: Float64 = np.maximum(np.minimum(sums, self._l1), -self._l1)
        weights -= sums
        # In place, since this is called for every sample: arrays of this size cost what making them does.
        slowness = roots * self._speed
        slowness += self._begin
        weights /= slowness
        return weights

    def _learn(self, inputs: Inputs, clicked: NDArray[np.bool_]) -> Float64:
        z, n, kept, corrected, root = self.z, self.n, self._kept, self._corrected, np.sqrt
        before = np.empty(clicked.size)
        gradient = np.empty(z.shape[1])
        for row, (active, label) in enumerate(zip(inputs, clicked.tolist(), strict=True)):
            sums, squares = z[active], n[active]
            roots = root(squares)
            weights = self._weights(sums, roots)
            log_odds = np.add.reduce(weights).tolist()
            predicted = log_odds[0]
            lasting = _probability(predicted)
            gradient[0] = lasting - label
            if corrected:
                whole = _probability(predicted + log_odds[1])
                gradient[1] = whole - label
                predicted += self.trust * log_odds[1]
                self._weigh(*((whole, lasting) if label else (1 - whole, 1 - lasting)))
            before[row] = predicted
            squares += gradient * gradient
            grown = root(squares)
            grown -= roots
            grown *= self._speed
            grown *= weights
            sums += gradient
            sums -= grown
            sums *= kept
            squares *= kept
            z[active] = sums
            n[active] = squares
            # A field without a value adds nothing.
            z[NONE] = n[NONE] = 0.0
        return before

    def _weigh(self, corrected: float, lasting: float) -> None:
        """Takes up which probabilities were given to what happened."""
        trusted = self.trust * corrected
        trust = trusted / (trusted + (1 - self.trust) * lasting)
        self.trust = (1 - self._share) * trust + self._share * (1 - trust)

    def _fade(self, tick: int) -> None:
        later = tick - self.tick
        if later > 0 and self.tick:
            factor = self._factor**later
            self.z *= factor
            self.n *= factor
        self.tick = max(tick, self.tick)


def _probability(log_odds: float) -> float:
    return 1 / (1 + exp(-min(max(log_odds, -_FURTHEST), _FURTHEST)))
