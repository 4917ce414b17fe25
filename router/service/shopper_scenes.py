"""The scenes as one shopper sees them, experiments included."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from router.engine.engine import Engine
from router.scenes.settings import SceneSettings


class ShopperScenes(Mapping[str, SceneSettings]):
    """Settings by scene, those of the shopper's arms; `user_id` is empty for an anonymous one."""

    def __init__(self, engine: Engine, user_id: str) -> None:
        """The scenes of `engine`, with the arms of this shopper."""
        self._engine = engine
        self._user_id = user_id

    def __getitem__(self, scene: str) -> SceneSettings:
        """The settings of a scene; KeyError where there is none of this name."""
        if scene not in self._engine.scenes:
            raise KeyError(scene)
        return self._engine.variant(scene, self._user_id).settings

    def __contains__(self, scene: object) -> bool:
        """Whether there is a scene of this name."""
        return scene in self._engine.scenes

    def __iter__(self) -> Iterator[str]:
        """The names of the scenes."""
        return iter(self._engine.scenes)

    def __len__(self) -> int:
        """Number of scenes."""
        return len(self._engine.scenes)
