"""The engine in service, and the two things that replace it: a new snapshot and an edit of the scenes."""

from __future__ import annotations

from router.engine.engine import Engine, EngineBuilder
from router.scenes.load import Scenes
from snapshot.store import Snapshot


class LiveEngine:
    """Read `current` once per request and keep what it gave: a request finishes on the engine it began on.

    Replacing one reference is atomic; an engine nobody uses any more is freed with its memory maps.
    Everything but `open` belongs to the event loop.
    """

    def __init__(self, builder: EngineBuilder, snapshot: Snapshot, scenes: Scenes) -> None:
        """Raises `SnapshotError` or `SettingsError` where the two cannot serve."""
        self._builder = builder
        self._scenes = scenes
        self.current: Engine = builder.build(snapshot, scenes)

    def open(self, snapshot: Snapshot) -> Engine:
        """An engine of `snapshot` under the present scenes, not yet in service; runs on any thread.

        Raises `SnapshotError` or `SettingsError` where it cannot serve.
        """
        return self._builder.build(snapshot, self._scenes)

    def under_present_scenes(self, engine: Engine) -> Engine:
        """`engine`, its pipelines built anew where the scenes were edited since. Raises `SettingsError`."""
        if engine.configured is self._scenes:
            return engine
        return self._builder.with_scenes(engine, self._scenes)

    def draft(self, scenes: Scenes) -> Engine:
        """The engine of edited scenes, not in service; runs on any thread. Raises `SettingsError`."""
        return self._builder.with_scenes(self.current, scenes)

    def take_over(self, engine: Engine) -> None:
        """Puts `engine` into service."""
        self.current = engine

    def change_scenes(self, scenes: Scenes) -> None:
        """Puts edited scenes into service; where they cannot serve, `SettingsError` and no change."""
        self.current = self._builder.with_scenes(self.current, scenes)
        self._scenes = scenes
