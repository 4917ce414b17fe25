"""Which query features the components of a scene name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from recall.registry import CHANNELS
from registration.registry import RegistrationError, Registry
from router.fusion.modulated import FEATURE as CHANNEL_RATES
from router.query_features.registry import QUERY_FEATURES
from router.scenes.components import REGISTRIES, components_of
from router.scenes.settings import SceneSettings


def scene_features(scenes: Iterable[SceneSettings]) -> frozenset[str]:
    """Names of the query features that some channel or component of the scenes reads."""
    return frozenset(
        feature
        for scene in scenes
        for features in (
            *(kind.features for kind in components_of(scene)),
            *(CHANNELS[name].features for name in _channels(scene)),
            () if scene.modulation is None else (CHANNEL_RATES,),
        )
        for feature in features
    )


def check_features() -> None:
    """Raises RegistrationError where a registered component names a query feature that is not registered."""
    registries: tuple[Registry[Any], ...] = (CHANNELS, *REGISTRIES)
    for registry in registries:
        for name, kind in registry.items():
            for feature in kind.features:
                if feature not in QUERY_FEATURES:
                    raise RegistrationError(
                        f"{registry.owner(name)} reads the query feature {feature}, which is not "
                        f"registered; registered are {', '.join(QUERY_FEATURES)}: correct the name, or add "
                        "the module that registers it to the setting plugins"
                    )


def _channels(scene: SceneSettings) -> Iterator[str]:
    yield from (name for name in scene.channels if name in CHANNELS)
    if scene.backfill is not None and scene.backfill.channel in CHANNELS:
        yield scene.backfill.channel
