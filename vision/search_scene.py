"""Which scene answers a photo search; one that cannot look at pictures is refused."""

from __future__ import annotations

from collections.abc import Mapping

from recall.similar_look import NAME as CHANNEL_NAME
from router.errors import CallerError, PreconditionError
from router.scenes.settings import SceneSettings

SCENE = "photo_search"
"""Answers where a request names none."""


def check_search_scene(scenes: Mapping[str, SceneSettings], named: str) -> None:
    """Checks that a scene has a channel that looks; the others answer by habit, as if without a picture.

    Args:
        scenes: those served, as the shopper sees them.
        named: by the request; empty where it names none. One that is not served passes, since the check that
            every page has refuses it.

    Raises:
        CallerError: the named scene cannot look.
        PreconditionError: none is named, and the scene for that is not served or cannot look.
    """
    asked = named or SCENE
    if asked in scenes and _looks(scenes[asked]):
        return
    lacks = f"has no channel {CHANNEL_NAME} that is enabled, by which pictures are searched"
    if not named:
        raise PreconditionError(
            "SCENES", SCENE, f"the scene {SCENE} is not served or {lacks}; give it one in config/scenes.yaml"
        )
    if named in scenes:
        looking = sorted(name for name, scene in scenes.items() if _looks(scene))
        raise CallerError.of("scene", f"{named} {lacks}; scenes with one: {', '.join(looking) or 'none'}")


def _looks(scene: SceneSettings) -> bool:
    channel = scene.channels.get(CHANNEL_NAME)
    return channel is not None and channel.enabled
