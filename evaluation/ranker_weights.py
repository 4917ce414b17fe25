"""The weights of the scorer `logistic`, fitted on candidates of which is known what was taken."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evaluation.calibration_fit import fit_calibration
from evaluation.layer_networks import THIRDS, fit_networks
from evaluation.take_level import TakeLevel
from foundation.statistics.logistic import Fit, fit_logistic
from pipeline.channel_ranks import PREFIX
from recall.item_facts import FACTS
from router.ranking.logistic.inputs import SHOPPER_COUNT, TAKEN_BEFORE, input_names
from router.ranking.logistic.table import LogisticRankerSettings
from router.ranking.logistic.weights import NewcomerPart, Weights, default_weights, newness, scaled

_FACTS = tuple(f"item.{fact}" for fact in FACTS)
_LEAST_SCALE = 1e-6


@dataclass(frozen=True, slots=True)
class RankedSample:
    """n candidates of many shoppers, as the scene hands them to its scorers.

    inputs    float32[n, F], of `router.ranking.logistic.inputs`
    model     float32[n], log-odds of the model's score
    taken     bool[n], whether the shopper took the candidate in the range
    shoppers  of whom they are
    shopper   int32[n], 0…shoppers − 1, of whom each is
    items     int32[n]
    users     int32[shoppers], their indexes in the log; who also enters as a newcomer is there twice
    weight    float32[n], what each counts as a sample; 0: it is none; None: 1 for all
    before    bool[n], whether the shopper, newcomer or not, took it before; None: where the input says so
    newcomer  bool[shoppers], whose history was cut; None: nobody's
    """

    inputs: NDArray[np.float32]
    model: NDArray[np.float32]
    taken: NDArray[np.bool_]
    shoppers: int
    shopper: NDArray[np.int32]
    items: NDArray[np.int32]
    users: NDArray[np.int32]
    weight: NDArray[np.float32] | None = None
    before: NDArray[np.bool_] | None = None
    newcomer: NDArray[np.bool_] | None = None

    def of(self, rows: NDArray[np.bool_]) -> RankedSample:
        """The candidates where `rows` bool[n] is True."""
        return replace(
            self,
            inputs=self.inputs[rows],
            model=self.model[rows],
            taken=self.taken[rows],
            shopper=self.shopper[rows],
            items=self.items[rows],
            weight=None if self.weight is None else self.weight[rows],
            before=None if self.before is None else self.before[rows],
        )

    def without_newcomers(self) -> RankedSample:
        """The candidates of whole histories, which come first."""
        if self.newcomer is None or not self.newcomer.any():
            return self
        whole = int((~self.newcomer).sum())
        kept = self.of(self.shopper < whole)
        return replace(kept, shoppers=whole, users=self.users[:whole], newcomer=None)


def weights_of(
    sample: RankedSample,
    channels: tuple[str, ...],
    settings: LogisticRankerSettings,
    level: TakeLevel = TakeLevel(),
    seed: int = 0,
) -> Weights:
    """The weights fitted on a sample; the default ones where nothing, or everything, of it was taken.

    Args:
        sample: what to learn from.
        channels: whose ranks are inputs.
        settings: of the fit.
        level: what a take counts in the calibration.
        seed: of the networks.
    """
    if sample.weight is not None:
        sample = sample.of(sample.weight > 0)
    strength, counts = settings.prior_strength, sample.weight
    names = input_names(channels)
    default = default_weights(channels, names)
    whole = sample.without_newcomers()
    if not whole.taken.any() or whole.taken.all():
        return default
    mean = sample.inputs.mean(axis=0, dtype=np.float64)
    deviation = sample.inputs.std(axis=0, dtype=np.float64)
    scale = np.where(deviation > _LEAST_SCALE, deviation, 1.0)
    inputs = scaled(sample.inputs, mean.astype(np.float32), scale.astype(np.float32))
    known = np.isfinite(sample.model)
    middle, width = float(sample.model[known].mean()), float(sample.model[known].std()) or 1.0
    standard = np.where(known, (sample.model - middle) / width, 0)[:, None].astype(np.float32)
    both = np.concatenate((inputs, standard), axis=1)
    # A weight of 1 per unit of an input is one of its scale per unit of the scaled input.
    alone_prior = np.array(default.alone) * scale
    prior = np.append(np.array(default.with_model) * scale, default.model_weight * width)
    differing = [place for place, name in enumerate(names) if name.startswith(PREFIX) or name in _FACTS]
    new = newness(
        sample.inputs[:, names.index(SHOPPER_COUNT)], settings.newcomers and settings.newcomer_events
    )
    designs = [
        _Design.of(inputs, alone_prior, new, differing),
        _Design.of(both, prior, new, [*differing, len(names)]),
    ]
    fits = [fit_logistic(each.rows, sample.taken, each.prior, strength, weights=counts) for each in designs]
    before = sample.before
    if before is None:
        before = sample.inputs[:, names.index(TAKEN_BEFORE)] > 0
    happened = np.where(sample.taken, np.where(before, level.again, level.new), 0.0)
    crossed = sample.taken.sum() < settings.cross_fitted_below
    odds = [
        _crossed(design, sample, strength)
        if crossed
        else design.rows @ fit.weights.astype(np.float32) + np.float32(fit.bias)
        for design, fit in zip(designs, fits, strict=True)
    ]
    networks, added = fit_networks(
        inputs, sample.taken, odds[1], sample.shopper, thirds_of(sample), settings.networks, seed, counts
    )
    calibrations = [fit_calibration(each + added, happened) for each in odds]
    alone, beside = (design.parted(fit) for design, fit in zip(designs, fits, strict=True))
    model_weight, new_model_weight = beside.weights[-1] / width, beside.new[-1] / width
    return Weights(
        channels=channels,
        inputs=names,
        mean=tuple(mean.tolist()),
        scale=tuple(scale.tolist()),
        alone=tuple(alone.weights.tolist()),
        alone_bias=alone.bias,
        with_model=tuple(beside.weights[:-1].tolist()),
        with_model_bias=beside.bias - model_weight * middle,
        model_weight=model_weight,
        newcomer=NewcomerPart(
            events=settings.newcomer_events,
            alone=tuple(alone.new.tolist()),
            alone_bias=alone.new_bias,
            with_model=tuple(beside.new[:-1].tolist()),
            with_model_bias=beside.new_bias - new_model_weight * middle,
            model_weight=new_model_weight,
        )
        if settings.newcomers
        else NewcomerPart(),
        networks=networks,
        alone_calibration=calibrations[0],
        calibration=calibrations[1],
        shoppers=whole.shoppers,
        candidates=len(whole.taken),
        taken=int(whole.taken.sum()),
    )


class _Parted(NamedTuple):
    """weights, new: float64[F], of each input and what newness adds; bias, new_bias: likewise."""

    weights: NDArray[np.float64]
    bias: float
    new: NDArray[np.float64]
    new_bias: float


@dataclass(frozen=True, slots=True)
class _Design:
    """Inputs of a regression, and beside them what newness multiplies.

    rows       float32[n, F + t + 1]: the inputs, t of them times newness, newness; else the inputs alone
    prior      float64, weights of the columns without data
    width      F
    differing  the t inputs whose weights differ for newcomers
    """

    rows: NDArray[np.float32]
    prior: NDArray[np.float64]
    width: int
    differing: list[int]

    @classmethod
    def of(
        cls,
        inputs: NDArray[np.float32],
        prior: NDArray[np.float64],
        new: NDArray[np.float32],
        differing: list[int],
    ) -> _Design:
        width = inputs.shape[1]
        if not new.any():
            return cls(inputs, prior, width, [])
        rows = np.concatenate((inputs, inputs[:, differing] * new[:, None], new[:, None]), axis=1)
        return cls(rows, np.append(prior, np.zeros(len(differing) + 1)), width, differing)

    def parted(self, fit: Fit) -> _Parted:
        """The weights by what they belong to."""
        new = np.zeros(self.width)
        if not self.differing:
            return _Parted(fit.weights, fit.bias, new, 0.0)
        new[self.differing] = fit.weights[self.width : -1]
        return _Parted(fit.weights[: self.width], fit.bias, new, float(fit.weights[-1]))


def thirds_of(sample: RankedSample) -> NDArray[np.integer]:
    """int[n] in 0…2: the third of the shoppers to which each candidate belongs.

    A shopper and the newcomer that is the same shopper are in one.
    """
    return np.unique(sample.users, return_inverse=True)[1][sample.shopper] % THIRDS


def _crossed(design: _Design, sample: RankedSample, strength: float) -> NDArray[np.float64]:
    """float64[n]: log-odds of each shopper's candidates by weights fitted on the others, in three parts."""
    rows = design.rows
    found = np.empty(len(rows))
    fold_of = thirds_of(sample)
    for fold in range(THIRDS):
        here = fold_of == fold
        counts = None if sample.weight is None else sample.weight[~here]
        fit = fit_logistic(rows[~here], sample.taken[~here], design.prior, strength, weights=counts)
        found[here] = rows[here] @ fit.weights.astype(np.float32) + fit.bias
    return found
