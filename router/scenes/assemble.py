"""Builds a scene's pipeline from its settings and the components that are live."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from models.ranker_inputs import reads_ranker_inputs
from models.registry import MODELS
from pipeline.deadlines import Division
from pipeline.metrics import NoMetrics, StageMetrics
from pipeline.plan import Backfill, ChannelSlot, MergedRanking, Pipeline, Prerank, Ranking
from pipeline.scoring import WHOLE, Split
from pipeline.stages import Channel, Fusion, Merge
from recall.query import Query
from recall.registry import CHANNELS
from recall.restricted import Restricted
from router.filters.registry import FILTERS
from router.fusion.kind import FusionParts
from router.fusion.modulated import ModulatedFusion
from router.fusion.registry import FUSIONS
from router.ranking.first_merge import First
from router.ranking.model_scorer import ModelColumn, ModelScorer
from router.ranking.registry import MERGES, SCORERS
from router.ranking.scorer_kind import ScorerContext
from router.ranking.scorer_opener import ScorerOpener
from router.ranking.triton_model import TritonModelSettings
from router.rerank.registry import RERANKERS
from router.scenes.fit_shop import fit_scene
from router.scenes.parts_of import PartsOf
from router.scenes.problems import SettingsError
from router.scenes.ranking_settings import MergeChoice, SceneScorer
from router.scenes.recall_settings import SceneChannel
from router.scenes.settings import SceneSettings
from snapshot.catalogue import Catalogue

log = logging.getLogger(__name__)

Float64 = npt.NDArray[np.float64]


def assemble(
    name: str,
    scene: SceneSettings,
    channels: Mapping[str, Channel[Query]],
    catalogue: Catalogue,
    scorers: Mapping[str, ModelScorer],
    metrics: StageMetrics | None = None,
    split: Split = WHOLE,
    tables: Mapping[str, Any] | None = None,
    opener: ScorerOpener | None = None,
) -> Pipeline[Query]:
    """The pipeline of the scene `name`.

    channels  live channels by name; one that the scene names and the snapshot lacks is left out, with a
              warning unless most shops lack it, and its share goes to the others
    scorers   scorers of the models on Triton, by model name
    split     how the ranked candidates are dealt to several calls
    tables    the snapshot's open learned tables by name
    opener    opens the other scorers; it keeps the live ones open. Default: one of its own

    Raises `SettingsError` where none of the scene's channels is live, its backfill channel or a scorer is
    not, the snapshot lacks a table that a component needs, or a setting is still `auto`.
    """
    scene = fit_scene(name, scene, None)
    weights = scene.shares()
    live = _live_channels(name, scene, channels)
    shares = np.array([weights[channel] for channel in live], dtype=np.float64)
    if shares.sum() <= 0:
        raise _refused(f"scenes.{name}.channels", "no channel with a share", channels)
    parts = PartsOf(f"scenes.{name}", catalogue, tables or {})
    fusion = _fusion(scene, parts, tuple(live), shares)
    modulated = _modulated(name, scene, parts, tuple(live), shares)
    return Pipeline(
        name=name,
        channels=tuple(
            ChannelSlot(Restricted(channels[channel]), part.k, part.timeout_ms, _waits(channel))
            for channel, part in live.items()
        ),
        fusion=fusion,
        live_fusion=modulated,
        fitted_fusion=_fitted(scene),
        filters=tuple(
            FILTERS[key].create(parts.of_component("filters", key, FILTERS[key], settings), settings)
            for key, settings in scene.filters.items()
        ),
        prerank=_prerank(name, scene, scorers),
        ranking=_ranking(name, scene, parts, scorers, split, opener or ScorerOpener()),
        rerankers=tuple(
            RERANKERS[key].create(parts.of_component("rerank", key, RERANKERS[key], settings), settings)
            for key, settings in scene.rerank.items()
        ),
        spared_late=frozenset(key for key in scene.rerank if RERANKERS[key].spared_late),
        backfill=_backfill(name, scene, channels),
        candidates=scene.candidates,
        oversample=scene.oversample,
        division=Division(
            scene.deadline.reserve_ms,
            scene.deadline.recall_share,
            scene.deadline.rerank_share,
            scene.deadline.prerank_share,
        ),
        channel_ranks=modulated is not None
        or any(SCORERS[scorer.scorer].channel_ranks for scorer in scene.ranking.scorers.values()),
        metrics=metrics or NoMetrics(),
    )


def _live_channels(
    name: str, scene: SceneSettings, channels: Mapping[str, Channel[Query]]
) -> dict[str, SceneChannel]:
    """The scene's enabled channels that are live, in its order; the others are logged."""
    enabled = scene.shares()
    for channel in enabled:
        if channel not in channels:
            optional = channel in CHANNELS and CHANNELS[channel].optional
            log.log(
                logging.DEBUG if optional else logging.WARNING,
                "scene %s goes without channel %s: the snapshot does not have it",
                name,
                channel,
            )
    return {channel: scene.channels[channel] for channel in enabled if channel in channels}


def _fusion(scene: SceneSettings, parts: PartsOf, channels: tuple[str, ...], shares: Float64) -> Fusion:
    ((name, settings),) = scene.fusion.items()
    given = parts.of_component("fusion", name, FUSIONS[name], settings)
    return FUSIONS[name].create(FusionParts(given.catalogue, given.tables, channels, shares), settings)


def _fitted(scene: SceneSettings) -> Callable[[Fusion, Query], Fusion] | None:
    """What fits the scene's fusion to a shopper; None where nothing does."""
    ((name, settings),) = scene.fusion.items()
    return FUSIONS[name].fitted(settings)


def _modulated(
    name: str, scene: SceneSettings, parts: PartsOf, channels: tuple[str, ...], shares: Float64
) -> ModulatedFusion | None:
    """What moves the scene's shares; None where they stay."""
    if scene.modulation is None:
        return None
    ((fusion, settings),) = scene.fusion.items()
    return ModulatedFusion(
        name,
        channels,
        shares,
        FUSIONS[fusion].offset(settings),
        scene.modulation,
        lambda moved: _fusion(scene, parts, channels, moved),
    )


def _ranking(
    name: str,
    scene: SceneSettings,
    parts: PartsOf,
    models: Mapping[str, ModelScorer],
    split: Split,
    opener: ScorerOpener,
) -> Ranking[Query] | MergedRanking[Query] | None:
    ranking = scene.ranking
    if not ranking.enabled:
        return None
    if not ranking.scorers:
        scorer = _model_column(f"scenes.{name}.ranking.model", ranking.model, models)
        return Ranking(scorer, ranking.timeout_ms, split)

    def context(key: str, scorer: SceneScorer) -> ScorerContext:
        given = parts.of(f"{parts.where}.ranking.scorers.{key}", SCORERS[scorer.scorer].tables)
        return ScorerContext(given.catalogue, models, ranking.model, given.tables)

    main = [key for key, scorer in ranking.scorers.items() if _is_main(scorer, ranking.model)]
    return MergedRanking(
        {
            key: _opened(
                f"scenes.{name}.ranking.scorers.{key}", scorer, scene, context(key, scorer), split, opener
            )
            for key, scorer in ranking.scorers.items()
        },
        _merge(ranking.merge, parts.tables),
        main[0] if main else "",
    )


def _merge(choice: MergeChoice | None, tables: Mapping[str, Any]) -> Merge:
    """The merge, with what was fitted for it when the snapshot was built."""
    if choice is None:
        return First()
    kind = MERGES[choice.name]
    return kind.fitted(kind.create(choice.settings), tables)


def _opened(
    where: str,
    scorer: SceneScorer,
    scene: SceneSettings,
    context: ScorerContext,
    split: Split,
    opener: ScorerOpener,
) -> Ranking[Query]:
    kind = SCORERS[scorer.scorer]
    try:
        opened = opener.open(scorer.scorer, scorer.settings, context)
    except ValueError as error:
        raise SettingsError("scene configuration", [f"{where}: {error}"]) from error
    return Ranking(
        opened,
        scene.ranking.timeout_ms if scorer.timeout_ms is None else scorer.timeout_ms,
        split if kind.splits else WHOLE,
        live=kind.version_source == "live",
        columns=kind.columns,
        waits=kind.waits,
    )


def _is_main(scorer: SceneScorer, model: str) -> bool:
    """Whether it is the scorer of the scene's `ranking.model`."""
    settings = scorer.settings
    return isinstance(settings, TritonModelSettings) and settings.model in (None, model)


def _prerank(name: str, scene: SceneSettings, scorers: Mapping[str, ModelScorer]) -> Prerank[Query] | None:
    if scene.prerank is None:
        return None
    scorer = _model_column(f"scenes.{name}.prerank.model", scene.prerank.model, scorers)
    return Prerank(Ranking(scorer, scene.prerank.timeout_ms), scene.prerank.candidates)


def _model_column(key: str, model: str, scorers: Mapping[str, ModelScorer]) -> ModelColumn:
    if model not in scorers:
        raise _refused(key, f"the model {model} is not", scorers)
    if model in MODELS and reads_ranker_inputs(MODELS[model].tensors):
        raise SettingsError(
            "scene configuration",
            [f"{key}: the model {model} reads inputs that only the scorer ranker makes; name it in scorers"],
        )
    return ModelColumn(scorers[model])


def _backfill(
    name: str, scene: SceneSettings, channels: Mapping[str, Channel[Query]]
) -> Backfill[Query] | None:
    if scene.backfill is None:
        return None
    channel = channels.get(scene.backfill.channel)
    if channel is None:
        raise _refused(
            f"scenes.{name}.backfill.channel", f"the channel {scene.backfill.channel} is not", channels
        )
    return Backfill(channel, scene.backfill.limit, _waits(scene.backfill.channel))


def _waits(channel: str) -> bool:
    """Whether the channel of this name may wait for another process."""
    return channel not in CHANNELS or CHANNELS[channel].waits


def _refused(key: str, what: str, live: Mapping[str, object]) -> SettingsError:
    return SettingsError(
        "scene configuration", [f"{key}: {what} live; live are {', '.join(sorted(live)) or 'none'}"]
    )
