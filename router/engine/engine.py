"""The engine: all that answers requests, from one snapshot and one scene configuration. Immutable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypedDict

from pydantic import BaseModel

from pipeline.metrics import StageMetrics
from pipeline.plan import Pipeline
from pipeline.scoring import WHOLE, Split
from recall.build import RECALL_FOLDER, open_channels
from recall.channel import Channel, Services
from recall.context import NAME as CONTEXT
from recall.context import ContextChannel
from recall.query import Query
from recall.search.context_index import ContextIndex
from recall.settings import RecallSettings
from recall.triggers import TriggerSettings
from router.filters.blocked import BlockedSettings
from router.filters.excluded import ExcludedSettings
from router.filters.must import MustSettings
from router.page.arrangement import PageArrangement, build_arrangement
from router.page.registry import PAGE_RERANKERS
from router.ranking.model_scorer import ModelScorer
from router.ranking.scorer_opener import ScorerOpener
from router.scenes.assemble import assemble
from router.scenes.components import registered_tables
from router.scenes.features import check_features, scene_features
from router.scenes.fit_shop import fit_scene
from router.scenes.load import Scenes
from router.scenes.parts_of import PartsOf
from router.scenes.plan import Arms, Choice, ScenePlan
from router.scenes.settings import SceneSettings
from router.scenes.table_settings import TablesSettings
from router.tables.files import TABLES_FOLDER, open_tables
from snapshot.catalogue import Catalogue
from snapshot.store import Snapshot

FIXED_FILTERS: Mapping[str, BaseModel] = {
    "excluded": ExcludedSettings(),
    "must": MustSettings(),
    "blocked": BlockedSettings(),
}
"""Filters that every scene has, first of all."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A scene as a shopper sees it: its settings, their pipeline, and experiment → arm behind them."""

    settings: SceneSettings
    pipeline: Pipeline[Query]
    arms: Mapping[str, str]
    features: frozenset[str]
    """Query features that its components read."""


@dataclass(frozen=True, slots=True)
class Engine:
    """One snapshot, its channels and tables, and a pipeline per scene and combination of arms."""

    snapshot: Snapshot
    channels: Mapping[str, Channel]
    tables: Mapping[str, Any]
    """Open learned tables by name: those of registered components that the snapshot has."""
    configured: Scenes
    """As the files have them."""
    scenes: Mapping[str, SceneSettings]
    """With what suits the snapshot's shop in place of every `auto`."""
    pipelines: Mapping[str, Pipeline[Query]]
    model_versions: Mapping[str, str]
    """Model → version on Triton that belongs to the snapshot."""
    triggers: TriggerSettings
    plans: Mapping[str, ScenePlan]
    """Experiments by scene; scenes without one are absent."""
    variants: Mapping[str, Mapping[Arms, Variant]]
    """Of the scenes with experiments, by the arms a shopper is in."""
    features: Mapping[str, frozenset[str]]
    """Query features by scene, that its components read where no arm changes it."""
    page: PageArrangement
    """How the scenes of one answer are arranged together."""

    def variant(self, scene: str, user_id: str) -> Variant:
        """The scene as the shopper sees it; `user_id` is empty for an anonymous one."""
        plan = self.plans.get(scene)
        if plan is None:
            return Variant(self.scenes[scene], self.pipelines[scene], {}, self.features[scene])
        return self.variants[scene][plan.arms_of(user_id)]

    @property
    def snapshot_id(self) -> str:
        """Id of the snapshot, as answers name it."""
        return self.snapshot.manifest.id

    @property
    def context_index(self) -> ContextIndex | None:
        """What a search query, category or brand is looked up in; None where its channel is switched off."""
        channel = self.channels.get(CONTEXT)
        return channel.index if isinstance(channel, ContextChannel) else None

    @property
    def catalogue(self) -> Catalogue:
        """The snapshot's catalogue."""
        return self.snapshot.catalogue


@dataclass(frozen=True, slots=True)
class EngineBuilder:
    """What every engine of this process shares."""

    recall: RecallSettings
    services: Services
    scorers: Mapping[str, ModelScorer]
    """Of the models on Triton, by model name."""
    metrics: StageMetrics
    split: Split = WHOLE
    """How ranked candidates are dealt to several calls."""
    tables: TablesSettings = field(default_factory=TablesSettings)
    """How learned tables are opened."""
    opener: ScorerOpener = field(default_factory=ScorerOpener)
    """Opens the other scorers."""

    def build(self, snapshot: Snapshot, scenes: Scenes) -> Engine:
        """The engine of a snapshot; may take seconds, so run it off the event loop.

        Raises `SnapshotError` where a channel's files are torn, and `SettingsError` where the scenes need
        what the snapshot does not have, and `RegistrationError` where a component names a query feature that
        is not registered.
        """
        check_features()
        channels = open_channels(
            snapshot.path / RECALL_FOLDER, snapshot.catalogue, self.services, self.recall
        )
        tables = open_tables(
            registered_tables(), snapshot.path / TABLES_FOLDER, snapshot.catalogue, self.tables.sections()
        )
        return Engine(
            snapshot=snapshot,
            channels=channels,
            tables=tables,
            configured=scenes,
            model_versions={name: str(version) for name, version in snapshot.manifest.models.items()},
            triggers=self.recall.triggers,
            **self._assembled(scenes, channels, snapshot, tables),
        )

    def with_scenes(self, engine: Engine, scenes: Scenes) -> Engine:
        """The same snapshot and open channels under other scenes. Raises `SettingsError` as `build` does."""
        return replace(
            engine,
            configured=scenes,
            **self._assembled(scenes, engine.channels, engine.snapshot, engine.tables),
        )

    def _assembled(
        self,
        scenes: Scenes,
        channels: Mapping[str, Channel],
        snapshot: Snapshot,
        tables: Mapping[str, Any],
    ) -> _Assembled:
        catalogue, facts = snapshot.catalogue, snapshot.manifest.shop

        def pipeline(name: str, scene: SceneSettings) -> Pipeline[Query]:
            return assemble(
                name,
                _with_fixed_filters(scene),
                channels,
                catalogue,
                self.scorers,
                self.metrics,
                self.split,
                tables,
                self.opener,
            )

        def variant(name: str, choice: Choice) -> Variant:
            features = scene_features([choice.settings])
            if choice.settings is scenes[name]:
                # Arms that change nothing share the scene's own pipeline.
                return Variant(fitted[name], pipelines[name], choice.arms, features)
            settings = fit_scene(name, choice.settings, facts)
            return Variant(settings, pipeline(name, settings), choice.arms, features)

        served = {
            name for name, scene in scenes.by_name.items() if all(map(channels.__contains__, scene.needs))
        }
        fitted = {name: fit_scene(name, scenes[name], facts) for name in scenes.by_name if name in served}
        pipelines = {name: pipeline(name, scene) for name, scene in fitted.items()}
        variants = {
            name: {arms: variant(name, choice) for arms, choice in plan.choices.items()}
            for name, plan in scenes.plans.items()
            if name in served
        }
        return {
            "scenes": fitted,
            "plans": {name: plan for name, plan in scenes.plans.items() if name in served},
            "pipelines": pipelines,
            "variants": variants,
            "features": {name: scene_features([scene]) for name, scene in fitted.items()},
            "page": build_arrangement(
                scenes.page.rerank,
                lambda name: PartsOf("page", catalogue, tables).of_component(
                    "rerank", name, PAGE_RERANKERS[name], scenes.page.rerank[name]
                ),
            ),
        }


class _Assembled(TypedDict):
    scenes: dict[str, SceneSettings]
    plans: dict[str, ScenePlan]
    pipelines: dict[str, Pipeline[Query]]
    variants: dict[str, dict[Arms, Variant]]
    features: dict[str, frozenset[str]]
    page: PageArrangement


def _with_fixed_filters(scene: SceneSettings) -> SceneSettings:
    """The scene with the filters of `FIXED_FILTERS` before its own, but for those that it has.

    The contract promises the first two; operators who block an item rely on the third.
    """
    return scene.model_copy(update={"filters": {**FIXED_FILTERS, **scene.filters}})
