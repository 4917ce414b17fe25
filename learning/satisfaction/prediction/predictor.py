"""Learns satisfaction while the shop runs: collects ratings, fits, and publishes what predicts better."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from learning.satisfaction.prediction.fit import Fitted, fit
from learning.satisfaction.prediction.ratings import CollectedRatings
from learning.satisfaction.prediction.settings import PredictionSettings
from state.live_model.satisfaction import SUFFIX, write_satisfaction

logger = logging.getLogger(__name__)


class SatisfactionPredictor:
    """The ratings are a function of the log; the model is one of the ratings."""

    def __init__(self, settings: PredictionSettings) -> None:
        """No rating was read yet, and nothing is published."""
        self._settings = settings
        self.ratings = CollectedRatings(settings)
        self.fitted = Fitted(None, "few_ratings")
        """What was made of the ratings last."""
        self.file = ""
        """Name of the published model's file; "" where there is none."""
        self._learned = 0

    def publish(self, folder: Path) -> bool:
        """Fits where there are new ratings; whether what is to be published has changed. Raises OSError."""
        if not self._settings.enabled or self.ratings.changes == self._learned:
            return False
        before, self.fitted = self.fitted, fit(self.ratings.ratings(), self._settings)
        self._learned = self.ratings.changes
        fitted = self.fitted
        if fitted.off != before.off or (fitted.model is None) != (before.model is None):
            _say(fitted, len(self.ratings))
        changed = fitted.model is not None or bool(self.file)
        self.file = ""
        if fitted.model is not None:
            self.file = f"{self.ratings.changes}{SUFFIX}"
            write_satisfaction(folder / self.file, fitted.model)
        return changed

    def exported(self) -> dict[str, NDArray[Any]]:
        """The ratings, as arrays by name: the same for the same log."""
        return self.ratings.exported()

    def load(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Replaces the ratings by what `exported` gave; KeyError where something is missing."""
        self.ratings.load(arrays)


def _say(fitted: Fitted, ratings: int) -> None:
    if fitted.model is not None:
        logger.info(
            "satisfaction is predicted from %d ratings: log loss %.4f against %.4f of their mean, "
            "calibration error %.3f",
            ratings,
            fitted.log_loss,
            fitted.mean_log_loss,
            fitted.calibration_error,
        )
    elif fitted.off == "no_better":
        logger.info("%d ratings predict the latest ones no better than their mean does", ratings)
    else:
        logger.info("%d ratings are too few to predict satisfaction", ratings)
