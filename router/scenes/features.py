"""Which query features the components of a scene name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from recall.registry import CHANNELS
from registration.registry import RegistrationError
from router.filters.registry import FILTERS
from router.query_features.registry import QUERY_FEATURES
from router.rerank.registry import RERANKERS
from router.scenes.settings import SceneSettings


def scene_features(scenes: Iterable[SceneSettings]) -> frozenset[str]:
    """Names of the query features that some component of the scenes reads."""
    return frozenset(
        feature
        for scene in scenes
        for kinds, names in (
            (CHANNELS, _channels(scene)),
            (FILTERS, scene.filters),
            (RERANKERS, scene.rerank),
        )
        for name in names
        for feature in _features(kinds, name)
    )


def check_features() -> None:
    """Raises RegistrationError where a registered component names a query feature that is not registered."""
    for concept, kinds in (("recall channel", CHANNELS), ("filter", FILTERS), ("reranker", RERANKERS)):
        for name in kinds:
            for feature in _features(kinds, name):
                if feature not in QUERY_FEATURES:
                    raise RegistrationError(
                        f"the {concept} {name} reads the query feature {feature}, which is not registered; "
                        f"registered are {', '.join(QUERY_FEATURES)}: correct the name, or add the module "
                        "that registers it to the setting plugins"
                    )


def _channels(scene: SceneSettings) -> Iterator[str]:
    yield from scene.channels
    if scene.backfill is not None:
        yield scene.backfill.channel


def _features(kinds: Mapping[str, object], name: str) -> tuple[str, ...]:
    """Features that a component names; none where its kind has no field for them, or it is not registered."""
    features: tuple[str, ...] = getattr(kinds.get(name), "features", ())
    return features
