"""The weights of the scorer `logistic`, fitted on candidates of which is known what was taken."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.calibration_fit import fit_calibration
from evaluation.take_level import TakeLevel
from foundation.statistics.logistic import fit_logistic
from router.ranking.logistic.inputs import TAKEN_BEFORE, input_names
from router.ranking.logistic.table import LogisticRankerSettings
from router.ranking.logistic.weights import Weights, default_weights, scaled

_LEAST_SCALE = 1e-6
_FOLDS = 3


@dataclass(frozen=True, slots=True)
class RankedSample:
    """n candidates of many shoppers, as the scene hands them to its scorers.

    inputs    float32[n, F], of `router.ranking.logistic.inputs`
    model     float32[n], log-odds of the model's score
    taken     bool[n], whether the shopper took the candidate in the range
    shoppers  of whom they are
    shopper   int32[n], 0…shoppers − 1, of whom each is
    items     int32[n]
    users     int32[shoppers], their indexes in the log
    weight    float32[n], what each counts as a sample; 0: it is none; None: 1 for all
    """

    inputs: NDArray[np.float32]
    model: NDArray[np.float32]
    taken: NDArray[np.bool_]
    shoppers: int
    shopper: NDArray[np.int32]
    items: NDArray[np.int32]
    users: NDArray[np.int32]
    weight: NDArray[np.float32] | None = None

    def of(self, rows: NDArray[np.bool_]) -> RankedSample:
        """The candidates where `rows` bool[n] is True."""
        return RankedSample(
            self.inputs[rows],
            self.model[rows],
            self.taken[rows],
            self.shoppers,
            self.shopper[rows],
            self.items[rows],
            self.users,
            None if self.weight is None else self.weight[rows],
        )


def weights_of(
    sample: RankedSample,
    channels: tuple[str, ...],
    settings: LogisticRankerSettings,
    level: TakeLevel = TakeLevel(),
) -> Weights:
    """The weights fitted on a sample; the default ones where nothing, or everything, of it was taken.

    Args:
        sample: what to learn from.
        channels: whose ranks are inputs.
        settings: of the fit.
        level: what a take counts in the calibration.
    """
    if sample.weight is not None:
        sample = sample.of(sample.weight > 0)
    strength, counts = settings.prior_strength, sample.weight
    names = input_names(channels)
    default = default_weights(channels, names)
    if not sample.taken.any() or sample.taken.all():
        return default
    mean = sample.inputs.mean(axis=0, dtype=np.float64)
    deviation = sample.inputs.std(axis=0, dtype=np.float64)
    scale = np.where(deviation > _LEAST_SCALE, deviation, 1.0)
    inputs = scaled(sample.inputs, mean.astype(np.float32), scale.astype(np.float32))
    # A weight of 1 per unit of an input is one of its scale per unit of the scaled input.
    alone = fit_logistic(inputs, sample.taken, np.array(default.alone) * scale, strength, weights=counts)
    known = np.isfinite(sample.model)
    middle, width = float(sample.model[known].mean()), float(sample.model[known].std()) or 1.0
    standard = np.where(known, (sample.model - middle) / width, 0)[:, None].astype(np.float32)
    prior = np.append(np.array(default.with_model) * scale, default.model_weight * width)
    both = np.concatenate((inputs, standard), axis=1)
    beside = fit_logistic(both, sample.taken, prior, strength, weights=counts)
    model_weight = float(beside.weights[-1]) / width
    before = sample.inputs[:, names.index(TAKEN_BEFORE)] > 0
    happened = np.where(sample.taken, np.where(before, level.again, level.new), 0.0)
    crossed = sample.taken.sum() < settings.cross_fitted_below
    calibrations = [
        fit_calibration(
            _crossed(each, sample, centre, strength)
            if crossed
            else each @ fit.weights.astype(np.float32) + np.float32(fit.bias),
            happened,
        )
        for each, fit, centre in (
            (inputs, alone, np.array(default.alone) * scale),
            (both, beside, prior),
        )
    ]
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
        alone_calibration=calibrations[0],
        calibration=calibrations[1],
        shoppers=sample.shoppers,
        candidates=len(sample.taken),
        taken=int(sample.taken.sum()),
    )


def _crossed(
    inputs: NDArray[np.float32], sample: RankedSample, prior: NDArray[np.float64], strength: float
) -> NDArray[np.float64]:
    """float64[n]: log-odds of each shopper's candidates by weights fitted on the others, in three parts."""
    found = np.empty(len(inputs))
    for fold in range(_FOLDS):
        here = sample.shopper % _FOLDS == fold
        counts = None if sample.weight is None else sample.weight[~here]
        fit = fit_logistic(inputs[~here], sample.taken[~here], prior, strength, weights=counts)
        found[here] = inputs[here] @ fit.weights.astype(np.float32) + fit.bias
    return found
