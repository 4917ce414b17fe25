"""Fits the objectives of scenes with the merge `value` on the validation range."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from evaluation.queries import LogOf, TestShopper, drawn, shoppers_at
from evaluation.served_scene import UNHURRIED_MS
from foundation.statistics.logistic import fit_logistic
from pipeline.candidates import PROBABILITY
from pipeline.plan import Pipeline
from pipeline.runner import rank
from recall.channel import BuildSource
from recall.item_facts import ItemFacts, item_facts
from recall.query import Query
from recall.triggers import TriggerSettings
from router.ranking.log_odds_merge import log_odds_of
from router.ranking.logistic.inputs import input_names, ranker_inputs
from router.ranking.logistic.weights import scaled
from router.ranking.objectives.fitted import (
    FittedClick,
    FittedObjectives,
    FittedPurchase,
    SceneObjectives,
)
from router.ranking.objectives.table import ObjectivesTableSettings
from snapshot.event_codes import IMPRESSION, PURCHASE

_LEAST_SCALE = 1e-6
_FOLDS = 5
_PLATT_STRENGTH = 1e-3
"""Of the prior around slope 1: two parameters need none, but a sample that is told apart has no maximum."""


@dataclass(frozen=True, slots=True)
class Happened:
    """What was shown, taken and bought in the window.

    Each is shopper's index → int32[m], distinct items.
    """

    shown: Mapping[int, NDArray[np.int32]]
    taken: Mapping[int, NDArray[np.int32]]
    bought: Mapping[int, NDArray[np.int32]]

    @classmethod
    def of(cls, events: pl.DataFrame) -> Happened:
        """Of the window's events (user, item, event)."""
        shown = pl.col("event") == IMPRESSION
        return cls(
            _by_user(events.filter(shown)),
            _by_user(events.filter(~shown)),
            _by_user(events.filter(pl.col("event") == PURCHASE)),
        )


@dataclass(frozen=True, slots=True)
class ObjectiveSample:
    """n candidates of a scene, as its pipeline ordered them.

    shopper int64[n], index of whom they are for
    own     float32[n], log-odds of the scene's own score, NaN where it has none
    inputs  float32[n, F], of `router.ranking.logistic.inputs`
    shown, taken, bought  bool[n]
    """

    shopper: NDArray[np.int64]
    own: NDArray[np.float32]
    inputs: NDArray[np.float32]
    shown: NDArray[np.bool_]
    taken: NDArray[np.bool_]
    bought: NDArray[np.bool_]


def asked_shoppers(
    log_of: LogOf,
    users: pl.DataFrame,
    happened: Happened,
    active: Sequence[TestShopper],
    cut: int,
    most: int,
    triggers: TriggerSettings,
    rng: np.random.Generator,
) -> Sequence[TestShopper]:
    """Whose candidates tell objectives: `active`; where something was shown after the cut, who saw it.

    Args:
        log_of: behaviours without impressions.
        users: of the data set.
        happened: after the cut.
        active: shoppers who take something after it.
        cut: unix second.
        most: shoppers at most.
        triggers: of the queries.
        rng: draws them.
    """
    seeing = np.array(sorted(happened.shown), np.int64)
    if not seeing.size:
        return active
    asked = drawn(seeing, most, rng)
    return shoppers_at(log_of(asked), asked, users, cut, triggers)


def fit_objectives(
    pipelines: Mapping[str, Pipeline[Query]],
    shoppers: Sequence[TestShopper],
    happened: Happened,
    source: BuildSource,
    settings: ObjectivesTableSettings,
) -> FittedObjectives:
    """The objectives of each scene.

    Args:
        pipelines: by scene, over tables in which no objective is fitted.
        shoppers: at the validation cut.
        happened: after it.
        source: what tables are built from, up to the cut.
        settings: of the fit.
    """
    facts = item_facts(source, settings.rate_prior)
    scenes = {}
    for name, pipeline in pipelines.items():
        sample = asyncio.run(_sample(name, pipeline, shoppers, happened, facts, source))
        scenes[name] = objectives_of(sample, pipeline.channel_names, settings)
    price = np.asarray(source.catalogue.price)
    priced = bool((np.isfinite(price) & (price > 0)).any())
    return FittedObjectives(scenes=scenes, price_off="" if priced else "no item has a price")


async def _sample(
    scene: str,
    pipeline: Pipeline[Query],
    shoppers: Sequence[TestShopper],
    happened: Happened,
    facts: ItemFacts,
    source: BuildSource,
) -> ObjectiveSample:
    channels = pipeline.channel_names
    rows: list[tuple[NDArray[Any], ...]] = []
    for shopper in shoppers:
        query = replace(shopper.query, scene=scene)
        deadline = time.monotonic() + UNHURRIED_MS / 1_000
        candidates = (await rank(pipeline, query, 1, deadline, time.monotonic)).candidates
        if not len(candidates):
            continue
        own = candidates.columns.get(PROBABILITY, candidates.score)
        labels = (
            np.isin(candidates.items, items.get(shopper.user, np.empty(0, np.int32)))
            for items in (happened.shown, happened.taken, happened.bought)
        )
        rows.append(
            (
                np.full(len(candidates), shopper.user, np.int64),
                log_odds_of(own),
                ranker_inputs(query, candidates, facts, source.catalogue, channels),
                *labels,
            )
        )
    if not rows:
        nothing = np.empty(0, np.bool_)
        no_inputs = np.empty((0, len(input_names(channels))), np.float32)
        return ObjectiveSample(
            np.empty(0, np.int64), np.empty(0, np.float32), no_inputs, nothing, nothing, nothing
        )
    who, own, inputs, shown, taken, bought = (np.concatenate(column) for column in zip(*rows, strict=True))
    return ObjectiveSample(who, own, inputs, shown, taken, bought)


def objectives_of(
    sample: ObjectiveSample, channels: tuple[str, ...], settings: ObjectivesTableSettings
) -> SceneObjectives:
    """What the sample says of one scene."""
    return SceneObjectives(
        channels=channels,
        inputs=input_names(channels),
        click=_click(sample, settings),
        purchase_given_click=_purchase(sample, settings),
    )


def _click(sample: ObjectiveSample, settings: ObjectivesTableSettings) -> FittedClick:
    """Of what was shown where the log has impressions of enough candidates, else of all candidates."""
    known = np.isfinite(sample.own)
    seen = known & sample.shown
    per_impression = _enough(sample.taken[seen], settings)
    rows = seen if per_impression else known
    clicked = sample.taken[rows]
    counts = {"rows": int(rows.sum()), "clicked": int(clicked.sum())}
    if not _enough(clicked, settings):
        return FittedClick(off=_too_few("taken", clicked), **counts)
    fit = fit_logistic(sample.own[rows][:, None], clicked, np.ones(1), _PLATT_STRENGTH)
    slope = float(fit.weights[0])
    if slope <= 0:
        return FittedClick(off="what scores higher was taken less often", **counts)
    per = "impression" if per_impression else "take"
    return FittedClick(slope=slope, offset=fit.bias, per=per, **counts)


def _purchase(sample: ObjectiveSample, settings: ObjectivesTableSettings) -> FittedPurchase:
    inputs, bought = sample.inputs[sample.taken], sample.bought[sample.taken]
    if not bought.size:
        return FittedPurchase(rate=0.0, off="nothing was taken")
    rate = float(bought.mean())
    if not _enough(bought, settings):
        why = "every take is a purchase" if rate == 1 else _too_few("bought", bought)
        return FittedPurchase(rate=rate, rows=bought.size, off=why)
    mean = inputs.mean(axis=0, dtype=np.float64)
    deviation = inputs.std(axis=0, dtype=np.float64)
    scale = np.where(deviation > _LEAST_SCALE, deviation, 1.0)
    standard = scaled(inputs, mean.astype(np.float32), scale.astype(np.float32))
    fit = fit_logistic(standard, bought, np.zeros(mean.size), settings.prior_strength)
    shrinkage = _shrinkage(standard, bought, sample.shopper[sample.taken], settings.prior_strength)
    if shrinkage is None:
        why = "which takes become purchases cannot be told for other shoppers than those it was fitted on"
        return FittedPurchase(rate=rate, rows=bought.size, off=why)
    slope, offset = shrinkage
    return FittedPurchase(
        mean=tuple(mean.tolist()),
        scale=tuple(scale.tolist()),
        weights=tuple((slope * fit.weights).tolist()),
        bias=slope * fit.bias + offset,
        rate=rate,
        rows=bought.size,
    )


def _shrinkage(
    inputs: NDArray[np.float32], bought: NDArray[np.bool_], shopper: NDArray[np.int64], strength: float
) -> tuple[float, float] | None:
    """Slope and offset that make the log-odds of a fit those of shoppers it has not seen.

    Fits on four fifths of the shoppers give those of the last fifth, and a Platt scaling of these is what is
    returned: few purchases and many inputs promise too much. A slope above 1 is none: fits on fewer shoppers
    are more careful by themselves. None where the slope is not above 0.
    """
    unseen = np.full(bought.size, np.nan, np.float32)
    for fold in range(_FOLDS):
        here = shopper % _FOLDS == fold
        fit = fit_logistic(inputs[~here], bought[~here], np.zeros(inputs.shape[1]), strength)
        unseen[here] = inputs[here] @ fit.weights.astype(np.float32) + np.float32(fit.bias)
    scaling = fit_logistic(unseen[:, None], bought, np.ones(1), _PLATT_STRENGTH)
    slope = float(scaling.weights[0])
    if slope >= 1:
        return 1.0, 0.0
    return (slope, scaling.bias) if slope > 0 else None


def _enough(outcomes: NDArray[np.bool_], settings: ObjectivesTableSettings) -> bool:
    happened = int(outcomes.sum())
    return min(happened, outcomes.size - happened) >= settings.least_outcomes


def _too_few(what: str, outcomes: NDArray[np.bool_]) -> str:
    return f"{int(outcomes.sum())} of {outcomes.size} candidates were {what}, too few of one kind"


def _by_user(events: pl.DataFrame) -> dict[int, NDArray[np.int32]]:
    grouped = events.group_by("user").agg(pl.col("item").unique())
    return {
        int(user): np.array(items, np.int32)
        for user, items in zip(grouped["user"], grouped["item"], strict=True)
    }
