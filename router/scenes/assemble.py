"""Builds a scene's pipeline from its settings and the components that are live."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.deadlines import Division
from pipeline.metrics import NoMetrics, StageMetrics
from pipeline.runner import Backfill, ChannelSlot, Pipeline, Prerank, Ranking
from pipeline.scoring import WHOLE, Split
from pipeline.stages import Channel, Fusion, Scorer
from recall.query import Query
from router.filters.registry import FILTERS
from router.fusion.kind import FusionParts
from router.fusion.registry import FUSIONS
from router.rerank.registry import RERANKERS
from router.scenes.problems import SettingsError
from router.scenes.settings import SceneSettings
from router.tables.component import ComponentKind, Parts
from snapshot.catalogue import Catalogue

log = logging.getLogger(__name__)

Float64 = npt.NDArray[np.float64]


def assemble(
    name: str,
    scene: SceneSettings,
    channels: Mapping[str, Channel[Query]],
    catalogue: Catalogue,
    scorers: Mapping[str, Scorer[Query]],
    metrics: StageMetrics | None = None,
    split: Split = WHOLE,
    tables: Mapping[str, Any] | None = None,
) -> Pipeline[Query]:
    """The pipeline of the scene `name`.

    channels  live channels by name; one that the scene names and the snapshot lacks is left out, with a
              warning, and its share goes to the others
    scorers   live scorers by model name
    split     how the ranked candidates are dealt to several calls
    tables    the snapshot's open learned tables by name

    Raises `SettingsError` where none of the scene's channels is live, its backfill channel or a scorer is
    not, or the snapshot lacks a table that a component needs.
    """
    live = {channel: part for channel, part in scene.channels.items() if channel in channels}
    for channel in scene.channels:
        if channel not in live:
            log.warning("scene %s goes without channel %s: the snapshot does not have it", name, channel)
    shares = np.array([part.share for part in live.values()], dtype=np.float64)
    if shares.sum() <= 0:
        raise _refused(f"scenes.{name}.channels", "no channel with a share", channels)
    parts = _PartsOf(name, catalogue, tables or {})
    return Pipeline(
        name=name,
        channels=tuple(
            ChannelSlot(channels[channel], part.k, part.timeout_ms) for channel, part in live.items()
        ),
        fusion=_fusion(scene, parts, tuple(live), shares),
        filters=tuple(
            FILTERS[key].create(parts.of("filters", key, FILTERS[key]), settings)
            for key, settings in scene.filters.items()
        ),
        prerank=_prerank(name, scene, scorers),
        ranking=_ranking(name, scene, scorers, split),
        rerankers=tuple(
            RERANKERS[key].create(parts.of("rerank", key, RERANKERS[key]), settings)
            for key, settings in scene.rerank.items()
        ),
        backfill=_backfill(name, scene, channels),
        candidates=scene.candidates,
        oversample=scene.oversample,
        division=Division(
            scene.deadline.reserve_ms,
            scene.deadline.recall_share,
            scene.deadline.rerank_share,
            scene.deadline.prerank_share,
        ),
        metrics=metrics or NoMetrics(),
    )


@dataclass(frozen=True, slots=True)
class _PartsOf:
    """Gives each component of one scene what it is created from."""

    scene: str
    catalogue: Catalogue
    tables: Mapping[str, Any]

    def of(self, key: str, name: str, kind: ComponentKind[Any, Any]) -> Parts:
        """The parts of the component `name` below the scene's `key`; `SettingsError` where a table lacks."""
        for table in kind.tables:
            if table.name not in self.tables:
                raise SettingsError(
                    "scene configuration",
                    [
                        f"scenes.{self.scene}.{key}.{name}: needs the table {table.name}, which the snapshot "
                        "does not have; run `shopfront build`"
                    ],
                )
        return Parts(self.catalogue, {table.name: self.tables[table.name] for table in kind.tables})


def _fusion(scene: SceneSettings, parts: _PartsOf, channels: tuple[str, ...], shares: Float64) -> Fusion:
    ((name, settings),) = scene.fusion.items()
    given = parts.of("fusion", name, FUSIONS[name])
    return FUSIONS[name].create(FusionParts(given.catalogue, given.tables, channels, shares), settings)


def _ranking(
    name: str, scene: SceneSettings, scorers: Mapping[str, Scorer[Query]], split: Split
) -> Ranking[Query] | None:
    if not scene.ranking.enabled:
        return None
    scorer = _scorer(f"scenes.{name}.ranking.model", scene.ranking.model, scorers)
    return Ranking(scorer, scene.ranking.timeout_ms, split)


def _prerank(name: str, scene: SceneSettings, scorers: Mapping[str, Scorer[Query]]) -> Prerank[Query] | None:
    if scene.prerank is None:
        return None
    scorer = _scorer(f"scenes.{name}.prerank.model", scene.prerank.model, scorers)
    return Prerank(Ranking(scorer, scene.prerank.timeout_ms), scene.prerank.candidates)


def _scorer(key: str, model: str, scorers: Mapping[str, Scorer[Query]]) -> Scorer[Query]:
    if model not in scorers:
        raise _refused(key, f"the model {model} is not", scorers)
    return scorers[model]


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
    return Backfill(channel, scene.backfill.limit)


def _refused(key: str, what: str, live: Mapping[str, object]) -> SettingsError:
    return SettingsError(
        "scene configuration", [f"{key}: {what} live; live are {', '.join(sorted(live)) or 'none'}"]
    )
