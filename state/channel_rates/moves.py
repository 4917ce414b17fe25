"""What channels' measured rates make of their shares: shrunk, only as far as they are certain, within bounds.

For each channel, x = ln(taken / expected) is how much more of a signal its items had than their part of what
was shown. Its variance s² is estimated over shoppers (the delta method), so that no shopper counts as many.
As an empirical Bayes estimate (Efron and Morris, JASA 1975), x is shrunk by τ² / (τ² + s²), where τ², the
spread of the channels beyond chance, is estimated by moments (DerSimonian and Laird, Controlled Clinical
Trials 1986) and is 0 where chance explains all of it. Of the result m, whose standard deviation is
√(τ² s² / (τ² + s²)), only what is beyond `caution` standard deviations moves a share:

    factor = min(most, max(least, exp(Σ weight · sign(m) · max(0, |m| − caution · sd))))

over the signals. A segment's rates are shrunk in the same way towards those of the whole scene.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from state.channel_rates.rates import SIGNALS, WHOLE_SCENE, ChannelRates, Float64, GroupRates, SignalSums

_HALF = 0.5
"""Events added to those taken and those expected, so that neither is 0."""
_LEAST_VARIANCE = 1.0
"""Of taken - expected, in events²: where every shopper agrees, the spread of few of them says little."""


@dataclass(frozen=True, slots=True)
class ShareLimits:
    """How far, and by what, the shares of one scene may be moved.

    least, most     factor of a share, least in (0, 1] and most at least 1
    by_channel      channel → (least, most) in their place
    weights         signal → weight of its log-ratio, not negative
    caution         standard deviations that do not move a share, not negative
    least_shoppers  days of shoppers with the signal below which it moves nothing
    """

    least: float
    most: float
    by_channel: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(SIGNALS, 1.0))
    caution: float = 2.0
    least_shoppers: float = 30.0

    def of(self, channel: str) -> tuple[float, float]:
        """(least, most) of a channel's factor."""
        return self.by_channel.get(channel, (self.least, self.most))


def share_factors(
    rates: ChannelRates, scene: str, segment: str, channels: Sequence[str], limits: ShareLimits
) -> Float64:
    """float64[c], what each channel's share is multiplied by; 1 where nothing is known of it."""
    whole = rates.groups.get((scene, WHOLE_SCENE))
    factors: Float64 = np.ones(len(channels))
    if whole is None:
        return factors
    part = rates.groups.get((scene, segment)) if segment != WHOLE_SCENE else None
    moved = dict.fromkeys(whole.channels, 0.0)
    for signal, weight in limits.weights.items():
        if weight > 0:
            for channel, move in _moves(whole, part, signal, limits).items():
                moved[channel] = moved.get(channel, 0.0) + weight * move
    for row, channel in enumerate(channels):
        least, most = limits.of(channel)
        factors[row] = min(most, max(least, float(np.exp(moved.get(channel, 0.0)))))
    return factors


def _moves(whole: GroupRates, part: GroupRates | None, signal: str, limits: ShareLimits) -> dict[str, float]:
    """Channel → how far its log-share moves by one signal."""
    ratios, variances = _measured(whole.signal(signal), limits.least_shoppers)
    centre = _certain(*_shrunk(ratios, variances), limits.caution)
    moves = dict(zip(whole.channels, centre.tolist(), strict=True))
    if part is None:
        return moves
    ratios, variances = _measured(part.signal(signal), limits.least_shoppers)
    around = np.array([moves.get(channel, 0.0) for channel in part.channels])
    further = _certain(*_shrunk(ratios - around, variances), limits.caution)
    for channel, at, more in zip(part.channels, around.tolist(), further.tolist(), strict=True):
        moves[channel] = at + more
    return moves


def _measured(sums: SignalSums, least_shoppers: float) -> tuple[Float64, Float64]:
    """Log-ratios and their variances, float64[c] each; the variance is infinite where there is too little."""
    taken, expected = np.array(sums.taken), np.array(sums.expected)
    variance = np.maximum(np.array(sums.variance), _LEAST_VARIANCE)
    enough = np.array(sums.shoppers) >= least_shoppers
    ratios: Float64 = np.log((taken + _HALF) / (expected + _HALF))
    return ratios, np.where(enough, variance / np.square(expected + _HALF), np.inf)


def _shrunk(ratios: Float64, variances: Float64) -> tuple[Float64, Float64]:
    """Posterior means and standard deviations, float64[c] each, around 0; 0 and 0 where nothing is known."""
    known = np.isfinite(variances)
    if np.count_nonzero(known) < 2:
        return np.zeros_like(ratios), np.zeros_like(ratios)
    precision = 1 / variances[known]
    # Taken and expected have the same sum, so that one channel's deviation follows from the others'.
    beyond = float(np.sum(precision * np.square(ratios[known]))) - (precision.size - 1)
    spread = max(0.0, beyond / float(precision.sum()))
    kept = np.zeros_like(ratios)
    kept[known] = spread / (spread + variances[known])
    deviation = np.sqrt(np.where(known, kept * np.where(known, variances, 0.0), 0.0))
    return kept * ratios, deviation


def _certain(means: Float64, deviations: Float64, caution: float) -> Float64:
    """What of each mean is beyond `caution` deviations, float64[c]."""
    certain: Float64 = np.sign(means) * np.maximum(0.0, np.abs(means) - caution * deviations)
    return certain
