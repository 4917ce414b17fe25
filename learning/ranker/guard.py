"""Keeps a version that learned nonsense from pages."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from learning.ranker.settings import GuardSettings
from learning.ranker.validation import auc, log_loss
from state.live_model.inputs import Inputs


class Guard:
    """Compares the learner with the last good version on the same latest samples."""

    def __init__(self, settings: GuardSettings) -> None:
        """No sample was seen yet."""
        self._settings = settings
        self._inputs: Inputs | None = None
        self._clicked = np.empty(0, np.bool_)
        self._learner = np.empty(0)

    def observe(self, inputs: Inputs, clicked: NDArray[np.bool_], log_odds: NDArray[np.float64]) -> None:
        """Samples: inputs int32[k, f], labels, and what the learner gave them before it learned them."""
        most = self._settings.samples
        kept = inputs if self._inputs is None else np.concatenate((self._inputs, inputs))
        self._inputs = kept[-most:]
        self._clicked = np.concatenate((self._clicked, clicked))[-most:]
        self._learner = np.concatenate((self._learner, log_odds))[-most:]

    def recent(self) -> tuple[float, float]:
        """Log loss and AUC of the learner on the latest samples; NaN where there are too few."""
        return log_loss(self._learner, self._clicked), auc(self._learner, self._clicked)

    def why_held(self, weights: NDArray[np.float32], published: NDArray[np.float32]) -> str:
        """Why weights must not take the place of the published ones; "" where they may.

        Returns "not_finite", "growth" or "auc_drop" else.
        """
        settings = self._settings
        if not np.isfinite(weights).all():
            return "not_finite"
        length, before = (float(np.linalg.norm(each.astype(np.float64))) for each in (weights, published))
        if not before:
            return ""
        grown = length > settings.free_length and length > settings.most_growth * before
        if self._inputs is None or self._clicked.size < settings.samples // 2:
            return "growth" if grown else ""
        theirs = published[self._inputs].sum(axis=1)
        # False for NaN, where there are no clicks to compare by.
        if auc(self._learner, self._clicked) < auc(theirs, self._clicked) - settings.auc_drop:
            return "auc_drop"
        # What grew and predicts better has learned something.
        better = log_loss(self._learner, self._clicked) < log_loss(theirs, self._clicked)
        return "growth" if grown and not better else ""
