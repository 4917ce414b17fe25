"""A click rate that follows a change: that of the latest impressions where they contradict the others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

_SMALLEST = 1e-4
_FURTHEST = 50.0


def changing_rate(counts: Float32, lately: Float32, prior: float, coarser: Float32, turn: float) -> Float32:
    """The click rate float32[n], smoothed by a coarser one.

    Two models of the latest impressions are compared: that their rate is the one before them, and that it is
    any other. The second counts by its posterior probability, for which the approximation of Schwarz is taken
    ("Estimating the dimension of a model", Annals of Statistics 1978): of k clicks in n impressions the
    log-odds of a change are

        ln(turn / (1 − turn)) + k · ln(r / b) + (n − k) · ln((1 − r) / (1 − b)) − ½ · ln(n + 1)

    where r = k / n and b is the rate before, smoothed by the coarser one. The rate is the mean of that of all
    impressions and that of the latest ones alone, weighted by these probabilities.

    Args:
        counts: float32[n, 2], clicks and impressions.
        lately: float32[n, 2], of the latest impressions, which are among `counts`.
        prior: impressions that the coarser rate counts for.
        coarser: float32[n], the coarser rate.
        turn: probability of a change before anything is known, between 0 and 1.
    """
    # Contiguous, which is quicker than columns side by side.
    all_clicks, all_impressions = np.ascontiguousarray(counts.T)
    clicks, impressions = np.ascontiguousarray(lately.T)
    smoothing = prior * coarser
    older = np.maximum(all_clicks - clicks, 0) + smoothing
    before = _cut(older / (np.maximum(all_impressions - impressions, 0) + prior))
    own = _cut(clicks / np.maximum(impressions, _SMALLEST))
    log_odds = clicks * np.log(own / before) + (impressions - clicks) * np.log((1 - own) / (1 - before))
    log_odds += np.log(turn / (1 - turn)) - 0.5 * np.log1p(impressions)
    changed = 1 / (1 + np.exp(np.minimum(-log_odds, _FURTHEST)))
    of_all = np.minimum((all_clicks + smoothing) / (all_impressions + prior), 1)
    of_latest = np.minimum((clicks + smoothing) / (impressions + prior), 1)
    return np.asarray(of_all + changed * (of_latest - of_all), np.float32)


def _cut(rates: Float32) -> Float32:
    cut: Float32 = np.minimum(np.maximum(rates, np.float32(_SMALLEST)), np.float32(1 - _SMALLEST))
    return cut
