"""Picks up newly published snapshots while the one before serves.

A new snapshot is opened and verified off the event loop, answers one query per scene, and then takes over.
One that is corrupt, or that a scene fails on, is refused once, and the engine in service stays; where it was
for a scene, it is opened again when the scenes are edited.

A snapshot takes over only when Triton has its model versions: its item ids are those its models were trained
on, and without them every answer would lose its ranking. It waits for as long as that takes, since the old
snapshot serves undegraded answers meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal, Protocol

from pipeline.stages import StageBug
from router.engine.engine import Engine
from router.engine.live import LiveEngine
from router.engine.settings import SnapshotWatchSettings
from router.scenes.load import Scenes
from router.scenes.problems import SettingsError
from snapshot.manifest import SnapshotError
from snapshot.store import SnapshotStore

logger = logging.getLogger(__name__)

Outcome = Literal["unchanged", "loaded", "refused", "waiting"]


class Models(Protocol):
    """Knows which models are ready."""

    async def missing(self, versions: Mapping[str, str]) -> list[str]:
        """Those of `versions` that are not ready, named."""
        ...


class SnapshotWatch:
    """Keeps a `LiveEngine` at the published snapshot."""

    def __init__(
        self,
        store: SnapshotStore,
        live: LiveEngine,
        warm_up: Callable[[Engine], Awaitable[None]],
        models: Models,
        settings: SnapshotWatchSettings,
        report: Callable[[Literal["loaded", "refused"], Engine], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`report` is called with each outcome and the engine then in service."""
        self._store = store
        self._live = live
        self._warm_up = warm_up
        self._models = models
        self._settings = settings
        self._report = report
        self._clock = clock
        self._refused: str | None = None
        self._refused_under: Scenes | None = None
        self._waiting: Engine | None = None
        self._waiting_since = 0.0
        self._warned = False

    async def run(self) -> None:
        """Looks again and again until cancelled; a bug is logged, and the engine in service stays."""
        while True:
            await asyncio.sleep(self._settings.poll_interval_s)
            try:
                await self.look()
            except Exception:
                logger.exception(
                    "picking up a snapshot failed; %s goes on serving", self._live.current.snapshot_id
                )

    def refuse_damaged(self, id: str) -> None:
        """Does not pick up the snapshot `id`, which was found damaged, until `accept`."""
        self._refused, self._refused_under = id, None

    def accept(self, id: str) -> None:
        """Considers the snapshot `id` again, whose files were put right."""
        if self._refused == id:
            self._refused = None

    def _is_refused(self, id: str) -> bool:
        """Whether it was refused, and not for scenes that were edited since."""
        under = self._refused_under
        return id == self._refused and (under is None or under is self._live.current.configured)

    async def look(self) -> Outcome:
        """Looks once, and puts a new snapshot into service where there is a good one."""
        id = self._store.current_id()
        if id is None or id == self._live.current.snapshot_id or self._is_refused(id):
            self._waiting = None
            return "unchanged"
        if self._waiting is None or self._waiting.snapshot_id != id:
            try:
                self._waiting = await asyncio.to_thread(self._open, id)
            except (SnapshotError, SettingsError) as error:
                return self._refuse(id, error)
            self._waiting_since, self._warned = self._clock(), False
        return await self._take_over(self._waiting)

    def _open(self, id: str) -> Engine:
        return self._live.open(self._store.open(id, verify=True))

    async def _take_over(self, engine: Engine) -> Outcome:
        missing = await self._models.missing(engine.model_versions)
        if missing:
            waited = self._clock() - self._waiting_since
            if waited > self._settings.models_warn_after_s and not self._warned:
                self._warned = True
                logger.error(
                    "snapshot %s waits for %s on Triton, by now for %.0f s; snapshot %s goes on serving",
                    engine.snapshot_id,
                    ", ".join(missing),
                    waited,
                    self._live.current.snapshot_id,
                )
            return "waiting"
        try:
            await self._warm_up(engine)
            # The scenes may have been edited while the snapshot was opened.
            engine = self._live.under_present_scenes(engine)
        except (SnapshotError, StageBug, SettingsError) as error:
            return self._refuse(engine.snapshot_id, error)
        self._waiting = None
        before = self._live.current.snapshot_id
        self._live.take_over(engine)
        logger.info("snapshot %s takes over from %s", engine.snapshot_id, before)
        self._report("loaded", engine)
        return "loaded"

    def _refuse(self, id: str, error: Exception) -> Outcome:
        self._refused, self._waiting = id, None
        # Other scenes may be without what failed, or may not need what the snapshot lacks.
        of_scenes = isinstance(error, SettingsError | StageBug)
        self._refused_under = self._live.current.configured if of_scenes else None
        logger.error(
            "snapshot %s is refused and %s goes on serving: %s", id, self._live.current.snapshot_id, error
        )
        self._report("refused", self._live.current)
        return "refused"
