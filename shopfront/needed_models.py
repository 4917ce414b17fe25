"""The models that a workspace's channels, scenes and settings need."""

from __future__ import annotations

from models.contracts import network_of
from recall.build import enabled_channels
from recall.registry import CHANNELS
from router.ranking.triton_model import TritonModelSettings
from router.scenes.components import tables_of
from router.scenes.settings import SceneSettings
from shopfront.settings import Settings, configured_scenes

Needs = dict[str, tuple[str, ...]]
"""What needs models, as messages call it → their names in the registry."""


def channel_needs(settings: Settings) -> Needs:
    """Of every enabled recall channel."""
    return {
        f"the recall channel {name}": CHANNELS[name].models
        for name in enabled_channels(settings.router.recall)
    }


def models_needed(settings: Settings) -> Needs:
    """Of the settings, the enabled channels, and every scene and arm of an experiment in one.

    Raises SettingsError where the scene configuration cannot be read.
    """
    needs: Needs = {"router.ranking.model": (network_of(settings.router.ranking.model),)}
    needs |= channel_needs(settings)
    for name, scene in configured_scenes(settings):
        needs[f"the scene {name}"] = (*needs.get(f"the scene {name}", ()), *_scene_models(scene))
    return needs


def _scene_models(scene: SceneSettings) -> tuple[str, ...]:
    ranking = scene.ranking
    names = [ranking.model] if ranking.names_model else []
    names += [
        scorer.settings.model
        for scorer in ranking.scorers.values()
        if isinstance(scorer.settings, TritonModelSettings) and scorer.settings.model is not None
    ]
    if scene.prerank is not None:
        names.append(scene.prerank.model)
    names += [model for table in tables_of([scene]).values() for model in table.models]
    return tuple(network_of(name) for name in names)
