"""Weights of positives beside negatives: those that a shop sets, and those that follow a drift of their rate.

Where the share of positives changes over time, examples of long ago teach a model another base rate than the
present one. A positive of day d then counts odds(present rate) / odds(rate of d), which gives every day the
present odds (prior correction: King and Zeng, Political Analysis 2001).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

_DAY_S = 86_400
_PRIOR = 200.0
"""Examples of the mean rate that are added to every day's."""
_MOST = 5.0
"""A positive counts at most so many times as much, or so many times as little, by the drift."""


class ClassWeightSettings(BaseModel):
    """How much a positive counts beside a negative."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    positive: float = Field(
        1.0,
        gt=0,
        le=1_000,
        description="Weight of a positive; a negative has 1. With another, scores are no rates.",
    )
    follow_drift: bool = Field(
        False, description="Whether positives of earlier days count as often as they would come now."
    )
    half_life_days: float = Field(
        3.0,
        gt=0,
        le=365,
        description="Days after which a day counts half for the present rate of positives.",
    )


def class_weights(
    labels: NDArray[np.bool_], ts: NDArray[np.int64], settings: ClassWeightSettings
) -> NDArray[np.float32]:
    """float32[n], of mean 1: the weight of each example.

    Args:
        labels: bool[n], positive or not.
        ts: int64[n], unix seconds of each example.
        settings: of the weights.

    Example:
        >>> day = np.repeat([0, 86_400], 10_000)
        >>> labels = np.arange(20_000) % np.where(day == 0, 2, 10) == 0
        >>> weights = class_weights(labels, day, ClassWeightSettings(follow_drift=True, half_life_days=0.1))
        >>> early = day == 0
        >>> rate = weights[early & labels].sum() / weights[early].sum()
        >>> bool(0.09 < rate < 0.11)
        True
    """
    weights = np.where(labels, settings.positive, 1.0)
    if settings.follow_drift and labels.any() and not labels.all():
        weights[labels] *= _drift(labels, ts // _DAY_S, settings.half_life_days)[labels]
    return np.asarray(weights / weights.mean(), np.float32)


def _drift(labels: NDArray[np.bool_], day: NDArray[np.int64], half_life: float) -> NDArray[np.float64]:
    """float64[n]: odds of the present rate over those of each example's day."""
    days, place = np.unique(day, return_inverse=True)
    examples, positives = np.bincount(place), np.bincount(place, labels)
    mean = labels.mean()
    decay = np.exp2((days - days[-1]) / half_life)
    present = (positives @ decay + _PRIOR * mean) / (examples @ decay + _PRIOR)
    rate = (positives + _PRIOR * mean) / (examples + _PRIOR)
    return np.clip(_odds(np.float64(present)) / _odds(rate), 1 / _MOST, _MOST)[place]


def _odds(rate: NDArray[np.float64] | np.float64) -> NDArray[np.float64]:
    return np.asarray(rate / (1 - rate))
