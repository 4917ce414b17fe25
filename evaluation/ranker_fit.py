"""Fits the weights of the scorer `logistic` on the validation range, which no model has learned from."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel

from evaluation.anchor_fit import fit_anchor_rankers
from evaluation.loaded_models import LoadedModel, item_vectors, services, with_facts
from evaluation.newcomers import newcomers_of, within_first_visits
from evaluation.objective_fit import Happened, asked_shoppers, fit_objectives
from evaluation.price_fit import fit_prices, simulated_pages
from evaluation.queries import drawn, shoppers_at
from evaluation.ranked_pages import candidate_pages, scored
from evaluation.ranker_weights import RankedSample, weights_of
from evaluation.sample_rules.window import sample_log, take_weights
from evaluation.scene_shift import ScoredScenes
from evaluation.served_scene import ServedScene
from evaluation.take_level import take_level
from models.interaction_log import InteractionLog
from recall.build import build_channels, only, open_channels
from recall.build_events import build_events, mapped_events
from recall.channel import BuildSource
from recall.item_facts import item_facts
from recall.popularity import NO_PRICES, PopularityTableSettings, Prices
from recall.settings import RecallSettings
from router.ranking.anchor_ranker.fitted import FittedAnchorRankers
from router.ranking.logistic.inputs import input_names
from router.ranking.logistic.table import LOGISTIC_RANKER, LogisticRankerSettings, LogisticTable
from router.ranking.logistic.weights import Weights, default_weights
from router.ranking.objectives.fitted import FittedObjectives
from router.ranking.objectives.table import OBJECTIVES, ObjectivesTableSettings
from snapshot.dataset import Dataset
from snapshot.event_codes import IMPRESSION

_DAY_S = 86_400

StageProgress = Callable[[str, float], None]
"""Called with what is under way and the share done, 0…1."""


def no_progress(what: str, share: float) -> None:
    """A `StageProgress` that shows nothing."""


@dataclass(frozen=True, slots=True)
class FittedRanker:
    """Weights of `logistic`; prices of `head_cap`; objectives; and regressions of pages about an item.

    All but the first are empty where not asked for. `sample`: what the weights were fitted on, without
    newcomers; None: nothing.
    """

    weights: Weights
    prices: Prices
    objectives: FittedObjectives = field(default_factory=FittedObjectives)
    anchored: FittedAnchorRankers = field(default_factory=FittedAnchorRankers)
    sample: RankedSample | None = None


def fit_ranker(
    dataset: Dataset,
    models: Mapping[str, LoadedModel],
    recall_settings: RecallSettings,
    scene: ServedScene,
    settings: LogisticRankerSettings,
    *,
    model: str,
    seed: int,
    prices: PopularityTableSettings | None = None,
    valued: Sequence[ServedScene] = (),
    anchored: Sequence[ServedScene] = (),
    joined: Sequence[ServedScene] = (),
    rules: Mapping[str, BaseModel] = MappingProxyType({}),
    awaited: Callable[[], LoadedModel] | None = None,
    progress: StageProgress = no_progress,
) -> FittedRanker:
    """Weights by which the candidates that `scene` finds at `cuts.valid_from` tell what is taken next.

    Channels and facts are built from events before `valid_from`; what shoppers take from then on within
    `settings.window_days`, and before `test_from`, is to be predicted. Where nobody takes anything then, the
    default weights are returned, and no prices. Prices are fitted on the pages that the weights make, the
    objectives of `valued` scenes on the candidates that these find.

    Args:
        dataset: the log.
        models: those that enabled channels call, and `model` where it is not awaited; trained on events
            before `valid_from`.
        recall_settings: which channels are built, and how.
        scene: whose channels, fusion and filters find the candidates.
        settings: of the fit.
        model: name of the model beside which the second regression is fitted.
        seed: of the draw of shoppers.
        prices: how the prices of `recall.popularity` are fitted; None = they are not.
        valued: scenes with the merge `value`, whose objectives are fitted; each has the table `objectives`.
        anchored: scenes with the scorer `anchor_ranker`, fitted for each on the
            baskets of the whole validation range.
        joined: other scenes that show the probabilities, which are shifted to what is taken there.
        rules: name of a sample rule that is on → its settings.
        awaited: returns `model`, which may still be in training; asked once what needs no model's scores is
            done, which is most of the work. None: it is among `models`.
        progress: called before each stage.
    """
    cuts = dataset.manifest.cuts
    window_days = min(settings.window_days, (cuts.test_from - cuts.valid_from) / _DAY_S)
    until = cuts.valid_from + window_days * _DAY_S
    users = dataset.users()
    rng = np.random.default_rng(seed)
    in_range = (pl.col("ts") >= cuts.valid_from) & (pl.col("ts") < cuts.test_from)
    validated = build_events(dataset.events().filter(in_range))
    later = validated.filter(pl.col("ts") < until)

    def log_of(shoppers: NDArray[np.integer[Any]]) -> InteractionLog:
        return InteractionLog.of_shoppers(dataset, users, shoppers.tolist(), until)

    active = later.filter((pl.col("event") != IMPRESSION) & (pl.col("item") > 0))["user"].unique().sort()
    asked_of = drawn(active.to_numpy(), settings.max_shoppers, rng)
    log = log_of(asked_of)
    triggers = recall_settings.triggers
    at_cut = shoppers_at(log, asked_of, users, cuts.valid_from, triggers)
    shoppers = within_first_visits(
        at_cut, log, users, triggers, settings.newcomer_longest, np.random.default_rng(seed)
    )
    newcomers = newcomers_of(shoppers, log, users, triggers, settings, rng)
    names = tuple(scene.settings.channels)
    with tempfile.TemporaryDirectory(prefix="ranker-") as folder:
        source = BuildSource(
            events=mapped_events(dataset.events().filter(pl.col("ts") < cuts.valid_from)),
            users=users,
            catalogue=dataset.catalogue,
            tagged_titles=dataset.tagged_titles(),
            now=cuts.valid_from - 1,
            vectors=item_vectors(models),
            seed=seed,
        )
        if not shoppers or not source.events.height:
            return FittedRanker(default_weights(names, input_names(names)), NO_PRICES)
        asked = only(
            recall_settings,
            [name for each in (scene, *valued, *anchored, *joined) for name in channels_of(each)],
        )
        build_channels(source, Path(folder), asked, lambda what, share: progress(what, share / 2))
        channels = open_channels(Path(folder), dataset.catalogue, services(models), asked)
        learned = Path(folder) / "learned"
        unranked = replace(scene.unranked().open(source, learned, channels, models), channel_ranks=True)
        progress("candidates", 0.5)
        pages = asyncio.run(
            candidate_pages(
                shoppers, newcomers, unranked, names, source, settings, lambda s: progress("candidates", s)
            )
        )
        progress("pages about items", 0.7)
        about_items = fit_anchor_rankers(
            anchored,
            log_of,
            replace(source, events=validated, now=cuts.test_from - 1),
            source,
            learned,
            channels,
            models,
            recall_settings.triggers,
        )
        progress("scores", 0.85)
        if awaited is not None:
            models = {**models, model: awaited()}
        models = with_facts(models, source, settings.rate_prior)
        sample = scored(pages, models[model], len(input_names(names)))
        progress("weights", 0.9)
        if rules:
            told = take_weights(sample_log(dataset, cuts.valid_from, until), rules)
            sample = replace(sample, weight=told.of_sample(sample))
        level = take_level(
            mapped_events(dataset.events().filter(pl.col("ts") < until)),
            until,
            window_days * _DAY_S,
            settings.level_windows,
        )
        weights = weights_of(sample, names, settings, level, seed).model_copy(
            update={"model": model, "window_days": window_days}
        )
        if joined:
            progress("scores of other scenes", 0.905)
            last_layer = LogisticTable.of(item_facts(source, settings.rate_prior), weights)
            shifts = ScoredScenes(last_layer, models[model], source.catalogue).shifts(
                sample.without_newcomers(),
                {
                    each.name: replace(each.open(source, learned, channels, models), channel_ranks=True)
                    for each in joined
                },
                shoppers,
                settings.shift_takes,
                np.random.default_rng(seed),
            )
            weights = weights.model_copy(update={"scene_shifts": shifts})
        weights.write(learned / LOGISTIC_RANKER.name)
        objectives = FittedObjectives()
        if valued:
            progress("objectives", 0.91)
            happened = Happened.of(later)
            objectives = fit_objectives(
                {each.name: each.open(source, learned, channels, models) for each in valued},
                asked_shoppers(
                    log_of,
                    users,
                    happened,
                    shoppers,
                    cuts.valid_from,
                    settings.max_shoppers,
                    triggers,
                    rng,
                ),
                happened,
                source,
                cast(ObjectivesTableSettings, valued[0].table_settings[OBJECTIVES.name]),
            )
        if prices is None:
            return FittedRanker(weights, NO_PRICES, objectives, about_items, sample.without_newcomers())
        progress("prices", 0.92)
        ordered = scene.opened(learned, dataset.catalogue, channels, models)
        few = shoppers
        if len(shoppers) > prices.max_shoppers:
            few = [shoppers[row] for row in rng.choice(len(shoppers), prices.max_shoppers, replace=False)]
        simulated = asyncio.run(simulated_pages(ordered, few, prices.head))
        return FittedRanker(
            weights,
            fit_prices(simulated, prices.head, prices.most_lost),
            objectives,
            about_items,
            sample.without_newcomers(),
        )


def channels_of(scene: ServedScene) -> tuple[str, ...]:
    """The scene's channels, that of its backfill among them."""
    backfill = scene.settings.backfill
    return (*scene.settings.channels, *(() if backfill is None else (backfill.channel,)))
