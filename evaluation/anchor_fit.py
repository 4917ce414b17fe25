"""Fits the scorer `anchor_ranker` on what was taken next in the baskets of the validation range."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from evaluation.anchor_pairs import AnchorPairs, best_of, next_in_basket
from evaluation.anchor_spread import ScoredPage, popularity_weight
from evaluation.calibration_fit import fit_calibration
from evaluation.loaded_models import LoadedModel
from evaluation.queries import LogOf, anonymous_at, shoppers_at
from evaluation.served_scene import UNHURRIED_MS, ServedScene
from foundation.statistics.logistic import fit_logistic
from pipeline.plan import Pipeline
from pipeline.runner import rank
from recall.channel import BuildSource, Channel
from recall.item_facts import item_facts
from recall.query import Query
from recall.triggers import TriggerSettings
from router.ranking.anchor_ranker.fitted import FittedAnchorRankers, Regression, SceneRegressions
from router.ranking.anchor_ranker.inputs import FORMULA, AnchorInputs, input_names, own_inputs
from router.ranking.anchor_ranker.order import LogOddsParts
from router.ranking.anchor_ranker.scorer import AnchorRankerSettings
from router.ranking.anchor_ranker.table import ANCHOR_RANKER, AnchorRankerTableSettings
from router.ranking.anchor_table import ANCHOR_PAIRS, AnchorTable
from router.ranking.logistic.weights import scaled
from router.scenes.settings import SceneSettings
from router.tables.files import open_tables

_LEAST_SCALE = 1e-6


@dataclass(frozen=True, slots=True)
class AnchorSample:
    """Some of the candidates of many pages about one item: those taken next, and a part of the others.

    inputs  float32[n, F], of `router.ranking.anchor_ranker.inputs`
    taken   bool[n], whether the candidate was the next item of the basket
    pages   of which they are
    kept    part of the candidates not taken that is here, 0…1
    """

    inputs: NDArray[np.float32]
    taken: NDArray[np.bool_]
    pages: int
    kept: float


def fit_anchor_rankers(
    scenes: Sequence[ServedScene],
    log_of: LogOf,
    later: BuildSource,
    source: BuildSource,
    learned: Path,
    channels: Mapping[str, Channel],
    models: Mapping[str, LoadedModel],
    triggers: TriggerSettings,
) -> FittedAnchorRankers:
    """The regressions of each scene, on its own candidates for baskets after `source.now`.

    Args:
        scenes: each has the table `anchor_ranker`.
        log_of: the shoppers' histories.
        later: `source` with the events after its `now` that may be learned from, up to the `now` of `later`.
        source: what channels and tables are built from; its seed draws baskets and candidates.
        learned: folder of the learned tables; missing ones are built.
        channels: open, by name.
        models: of the channels.
        triggers: of the queries.
    """
    if not scenes:
        return FittedAnchorRankers()
    rng = np.random.default_rng(source.seed)
    settings = cast(AnchorRankerTableSettings, scenes[0].table_settings[ANCHOR_RANKER.name])
    now = source.now + 1
    pairs = next_in_basket(later, now, later.now + 1, settings.max_pairs, rng)
    asked = np.unique(pairs.user)
    shoppers = {
        each.user: each.query for each in shoppers_at(log_of(asked), asked, source.users, now, triggers)
    }
    facts = item_facts(source, settings.rate_prior)
    fitted, off = {}, {}
    for scene in scenes:
        unranked = replace(scene.unranked().open(source, learned, channels, models), channel_ranks=True)
        tables = open_tables(
            {ANCHOR_PAIRS.name: ANCHOR_PAIRS}, learned, source.catalogue, scene.table_settings
        )
        inputs = AnchorInputs(cast(AnchorTable, tables[ANCHOR_PAIRS.name]), facts, source.catalogue)
        names = tuple(scene.settings.channels)
        found = {}
        for known in (True, False):
            queries = shoppers if known else dict.fromkeys(shoppers, anonymous_at(now))
            sample = asyncio.run(_sample(unranked, pairs, queries, inputs, names, settings, rng))
            if sample.taken.sum() < settings.least_taken:
                off[scene.name] = (
                    f"of {sample.pages:,} pages made of the log's last part, {sample.taken.sum():,} have "
                    f"the next item of the basket; {settings.least_taken:,} are needed to learn from "
                    "(router.tables.anchor_ranker.least_taken)"
                )
                break
            regression = regression_of(sample, names, settings.prior_strength)
            draws = asyncio.run(
                _compared(unranked, source, list(queries.values()), inputs, regression, names, settings, rng)
            )
            found[known] = regression.model_copy(
                update={
                    "popularity_weight": popularity_weight(
                        draws, own_weight_of(scene.settings), settings.most_overlap, settings.least_distinct
                    )
                }
            )
        else:
            fitted[scene.name] = SceneRegressions(
                channels=names, inputs=input_names(names), known=found[True], anonymous=found[False]
            )
    return FittedAnchorRankers(scenes=fitted, off=off)


def own_weight_of(scene: SceneSettings) -> float:
    """That of the scene's scorer `anchor_ranker`."""
    scorers = [scorer.settings for scorer in scene.ranking.scorers.values()]
    found = [each.own_weight for each in scorers if isinstance(each, AnchorRankerSettings)]
    return found[0] if found else AnchorRankerSettings().own_weight


async def _compared(
    pipeline: Pipeline[Query],
    source: BuildSource,
    shoppers: Sequence[Query],
    inputs: AnchorInputs,
    fitted: Regression,
    channels: tuple[str, ...],
    settings: AnchorRankerTableSettings,
    rng: np.random.Generator,
) -> list[list[ScoredPage]]:
    """Draws of pages about the best sold items: one for each of some shoppers, several for nobody known."""
    known = [each for each in shoppers if each.history_items.size]
    if known:
        drawn = rng.choice(len(known), min(settings.compared_shoppers, len(known)), replace=False)
        shown_to = [known[row] for row in drawn.tolist()]
    else:
        shown_to = [shoppers[0]] * settings.compared_draws
    weights = np.array(fitted.weights)
    both = np.stack((weights, weights * own_inputs(channels)), axis=1).astype(np.float32)
    sold = np.where(source.catalogue.in_stock, inputs.baskets, 0)
    draws = []
    for shopper in shown_to:
        draw = []
        for anchor in best_of(sold, settings.compared_among, settings.compared_items, rng):
            query = replace(shopper, scene=pipeline.name).about(np.array([anchor], np.int32))
            deadline = time.monotonic() + UNHURRIED_MS / 1_000
            candidates = (await rank(pipeline, query, 1, deadline, time.monotonic)).candidates
            table = scaled(
                inputs.of(query, candidates, channels),
                np.array(fitted.mean, np.float32),
                np.array(fitted.scale, np.float32),
            )
            of_all, own = (table @ both).T
            parts = LogOddsParts(of_all + np.float32(fitted.bias), own)
            draw.append(ScoredPage(candidates.items, parts, inputs.baskets[candidates.items]))
        draws.append(draw)
    return draws


async def _sample(
    pipeline: Pipeline[Query],
    pairs: AnchorPairs,
    shoppers: Mapping[int, Query],
    inputs: AnchorInputs,
    channels: tuple[str, ...],
    settings: AnchorRankerTableSettings,
    rng: np.random.Generator,
) -> AnchorSample:
    """A page for each pair, asked for as its shopper's query."""
    rows, taken = [], []
    for user, anchor, target in zip(
        pairs.user.tolist(), pairs.anchor.tolist(), pairs.target.tolist(), strict=True
    ):
        query = replace(shoppers[user], scene=pipeline.name).about(np.array([anchor], np.int32))
        deadline = time.monotonic() + UNHURRIED_MS / 1_000
        candidates = (await rank(pipeline, query, 1, deadline, time.monotonic)).candidates
        if not len(candidates):
            continue
        is_target = candidates.items == target
        kept = np.flatnonzero(is_target | (rng.random(len(candidates)) < settings.kept_candidates))
        rows.append(inputs.of(query, candidates, channels)[kept])
        taken.append(is_target[kept])
    if not rows:
        return AnchorSample(
            np.empty((0, len(input_names(channels))), np.float32),
            np.empty(0, np.bool_),
            0,
            settings.kept_candidates,
        )
    return AnchorSample(np.concatenate(rows), np.concatenate(taken), len(rows), settings.kept_candidates)


def regression_of(sample: AnchorSample, channels: tuple[str, ...], strength: float) -> Regression:
    """The weights fitted on a sample with at least one candidate of either kind.

    strength: precision of the prior, by scaled input, around the order of the scorer `anchor`.

    What is drawn of the candidates not taken raises the odds by 1 / kept, which the bias takes back.
    """
    names = input_names(channels)
    mean = sample.inputs.mean(axis=0, dtype=np.float64)
    deviation = sample.inputs.std(axis=0, dtype=np.float64)
    scale = np.where(deviation > _LEAST_SCALE, deviation, 1.0)
    prior = np.array([name == f"anchor.{FORMULA}" for name in names]) * scale
    inputs = scaled(sample.inputs, mean.astype(np.float32), scale.astype(np.float32))
    fitted = fit_logistic(inputs, sample.taken, prior, strength)
    calibration = fit_calibration(
        inputs @ fitted.weights.astype(np.float32) + np.float32(fitted.bias), sample.taken.astype(np.float64)
    )
    # The candidates that are not here lower all odds alike.
    fewer = float(np.log(sample.kept))
    return Regression(
        mean=tuple(mean.tolist()),
        scale=tuple(scale.tolist()),
        weights=tuple(fitted.weights.tolist()),
        bias=fitted.bias + fewer,
        calibration=calibration.shifted(fewer),
        pages=sample.pages,
        taken=int(sample.taken.sum()),
    )
