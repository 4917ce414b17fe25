"""By how much scores that were calibrated on one scene's candidates are too low or too high in another scene.

A scene with other channels has other candidates: an item that only these recalled lacks the places that are
inputs, and is taken more often than its score says.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evaluation.loaded_models import LoadedModel
from evaluation.queries import TestShopper
from evaluation.ranker_weights import RankedSample
from evaluation.served_scene import UNHURRIED_MS
from pipeline.plan import Pipeline
from pipeline.runner import rank
from recall.query import Query
from router.ranking.log_odds_merge import log_odds_of
from router.ranking.logistic.inputs import ranker_inputs
from router.ranking.logistic.table import LogisticTable
from router.ranking.logistic.weights import LARGEST_SHIFT, SceneShift
from snapshot.catalogue import Catalogue

Float32 = NDArray[np.float32]
Odds = tuple[Float32, Float32]
"""Calibrated log-odds float32[n] of candidates: without the model, and beside it; NaN where it knows none."""

_PRIOR = 30.0
"""Takes, as many as predicted, that are added to both sides: a few takes move nothing."""
_HALVINGS = 40


class Takes(NamedTuple):
    """n candidates: calibrated log-odds float[n], and whether each was taken, bool[n]."""

    log_odds: NDArray[np.floating]
    taken: NDArray[np.bool_]

    def ratio(self) -> float:
        """Taken / predicted, drawn to 1; above 0."""
        return (float(self.taken.sum()) + _PRIOR) / (_predicted(self.log_odds, 0.0) + _PRIOR)


@dataclass(frozen=True)
class ScoredScenes:
    """The last layer as fitted, and what other scenes' candidates are scored with.

    table: its weights and facts; model: beside which they were fitted; catalogue: of the items.
    """

    table: LogisticTable
    model: LoadedModel
    catalogue: Catalogue

    def shifts(
        self,
        sample: RankedSample,
        scenes: Mapping[str, Pipeline[Query]],
        shoppers: Sequence[TestShopper],
        enough: int,
        rng: np.random.Generator,
    ) -> dict[str, SceneShift]:
        """Scene → what is added to its calibrated log-odds.

        With it the scene's takes beside those predicted are as many as among the candidates fitted on. They
        are compared of the same shoppers, since the weights know what these take and are too sure of it in
        either scene.

        Args:
            sample: the candidates fitted on.
            scenes: name → pipeline without scorers, with the ranks of channels as columns.
            shoppers: of the sample, with what they took.
            enough: takes of the sample; as many of its shoppers are asked as have these.
            rng: draws them.
        """
        if not self.table.learned.taken:
            return {}
        order = rng.permutation(sample.shoppers)
        takes = np.bincount(sample.shopper, sample.taken, minlength=sample.shoppers)[order].cumsum()
        drawn = order[: int(np.searchsorted(takes, enough)) + 1]
        rows = np.isin(sample.shopper, drawn)
        fitted = self._odds(sample.inputs[rows], sample.model[rows])
        users = set(sample.users[drawn].tolist())
        asked = [each for each in shoppers if each.user in users]
        found = {}
        for name, pipeline in scenes.items():
            odds, taken = asyncio.run(self._candidates(pipeline, asked))
            alone, beside = (
                shift_of(Takes(mine, taken), Takes(its, sample.taken[rows]))
                for mine, its in zip(odds, fitted, strict=True)
            )
            found[name] = SceneShift(alone=alone, beside=beside, taken=int(taken.sum()))
        return found

    async def _candidates(
        self, pipeline: Pipeline[Query], shoppers: Sequence[TestShopper]
    ) -> tuple[Odds, NDArray[np.bool_]]:
        """The scene's candidates for each shopper, one after the other, and whether they took them."""
        odds: list[Odds] = [(np.empty(0, np.float32), np.empty(0, np.float32))]
        taken = [np.empty(0, np.bool_)]
        channels = self.table.learned.channels
        for shopper in shoppers:
            query = replace(shopper.query, scene=pipeline.name)
            deadline = time.monotonic() + UNHURRIED_MS / 1_000
            candidates = (await rank(pipeline, query, 1, deadline, time.monotonic)).candidates
            if len(candidates):
                inputs = ranker_inputs(query, candidates, self.table.facts, self.catalogue, channels)
                odds.append(self._odds(inputs, log_odds_of(self.model.scores(query, candidates.items))))
                taken.append(np.isin(candidates.items, shopper.targets))
        alone, beside = (np.concatenate(each) for each in zip(*odds, strict=True))
        return (alone, beside), np.concatenate(taken)

    def _odds(self, inputs: Float32, model: Float32) -> Odds:
        """Of inputs float32[n, F] and the model's log-odds float32[n]."""
        learned = self.table.learned
        both, weight = self.table.layer.log_odds(inputs)
        alone, beside = both.T
        return (
            learned.alone_calibration.of(alone),
            learned.calibration.of(beside + weight * model),
        )


def shift_of(scene: Takes, fitted: Takes) -> float:
    """What is added to the scene's log-odds, so that its ratio of takes becomes that of the fitted one.

    0 where nothing was taken in either, within ±3; candidates without a score are left out.
    """
    scene, fitted = (
        Takes(each.log_odds[known], each.taken[known])
        for each in (scene, fitted)
        for known in (np.isfinite(each.log_odds),)
    )
    if not len(scene.log_odds):
        return 0.0
    wanted = _predicted(scene.log_odds, 0.0) * scene.ratio() / fitted.ratio()
    low, high = -LARGEST_SHIFT, LARGEST_SHIFT
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _predicted(scene.log_odds, middle) < wanted else (low, middle)
    return (low + high) / 2


def _predicted(log_odds: NDArray[np.floating], shift: float) -> float:
    """Takes that these log-odds promise."""
    return float((1 / (1 + np.exp(-(log_odds.astype(np.float64) + shift)))).sum())
