"""Verifies the snapshot that serves, and falls back to the newest intact one where it is damaged.

Its arrays are mapped: what is damaged on the disk, or written over, is damaged in every replica at once, and
shows itself as calls that end INTERNAL, or not at all. So the files' checksums are compared on a schedule,
and at once when a call ends with a bug; their sizes at every look for new snapshots, since touching a page
that a file no longer has kills the process.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Literal

from pipeline.stages import StageBug
from router.engine.engine import Engine
from router.engine.live import LiveEngine
from router.engine.settings import SnapshotWatchSettings
from router.engine.snapshot_watch import Models, SnapshotWatch
from router.scenes.problems import SettingsError
from snapshot.checksums import verify_files
from snapshot.last_good import intact_folders
from snapshot.manifest import SnapshotError
from snapshot.store import Snapshot, SnapshotStore

logger = logging.getLogger(__name__)

Verified = Literal["intact", "damaged", "fallback"]

_MIB = 1024 * 1024
_REST_OF_COST = 9
"""After a verification caused by a bug none follows for this many times as long as it took."""


class SnapshotVerification:
    """Keeps a `LiveEngine` off damaged snapshots; every method belongs to the event loop."""

    def __init__(
        self,
        store: SnapshotStore,
        live: LiveEngine,
        watch: SnapshotWatch,
        warm_up: Callable[[Engine], Awaitable[None]],
        models: Models,
        settings: SnapshotWatchSettings,
        report: Callable[[Verified, Engine], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Verifies nothing yet.

        Args:
            store: where the snapshots lie.
            live: the engine in service.
            watch: what picks up new snapshots; it learns which published one is damaged.
            warm_up: asks an engine one query per scene.
            models: which model versions Triton has.
            settings: how often, and how fast.
            report: called with each outcome and the engine then in service.
            clock: monotonic seconds.
        """
        self._store = store
        self._live = live
        self._watch = watch
        self._warm_up = warm_up
        self._models = models
        self._settings = settings
        self._report = report
        self._clock = clock
        self._damaged: dict[str, str] = {}
        self._suspected = asyncio.Event()
        self._next_suspicion = 0.0

    @property
    def damage(self) -> str:
        """What is wrong with the snapshot that serves, as no intact one is there; "" where it is intact."""
        return self._damaged.get(self._live.current.snapshot_id, "")

    def suspect(self, error: BaseException) -> None:
        """Has the snapshot verified soon, because a call ended with `error`."""
        if not self._suspected.is_set() and self._clock() >= self._next_suspicion:
            logger.info("the snapshot is verified, since a call failed: %s", type(error).__name__)
            self._suspected.set()

    async def run(self) -> None:
        """Verifies again and again until cancelled; a bug is logged, and the engine in service stays."""
        due = self._clock() + self._settings.verify_interval_s
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._suspected.wait(), self._settings.poll_interval_s)
            hurried = self._suspected.is_set()
            try:
                if hurried or self._clock() >= due or await asyncio.to_thread(self._sizes_differ):
                    await self.verify(paced=not hurried)
                    # What is known to be damaged is put right, or replaced, any moment.
                    settings = self._settings
                    wait_s = settings.verify_after_bug_s if self.damage else settings.verify_interval_s
                    due = self._clock() + min(wait_s, settings.verify_interval_s)
            except Exception:
                logger.exception(
                    "verifying a snapshot failed; %s goes on serving", self._live.current.snapshot_id
                )

    async def verify(self, *, paced: bool = False) -> Verified:
        """Verifies the snapshot in service and, where another one is published, that one too.

        `paced`: read no faster than `verify_mib_per_s`.
        """
        began = self._clock()
        engine = self._live.current
        damage = await asyncio.to_thread(self._damage_of, engine.snapshot, paced)
        self._suspected.clear()
        now = self._clock()
        self._next_suspicion = now + max(self._settings.verify_after_bug_s, _REST_OF_COST * (now - began))
        if self._live.current is not engine:
            # Another one was published meanwhile, which was verified when it was opened.
            return "intact"
        if damage is None:
            return await self._intact(engine)
        return await self._replace(engine, damage)

    def start_beside(self, id: str, damage: SnapshotError) -> None:
        """Notes that the published snapshot `id` could not be opened at the start, and another one serves."""
        self._damaged[id] = str(damage)
        self._watch.refuse_damaged(id)
        logger.error("%s; snapshot %s serves instead", _told(id, damage), self._live.current.snapshot_id)
        self._report("fallback", self._live.current)

    def _damage_of(self, snapshot: Snapshot, paced: bool) -> SnapshotError | None:
        pace = Pace(self._settings.verify_mib_per_s * _MIB) if paced else lambda size: None
        try:
            verify_files(snapshot.path, snapshot.manifest.files, checksums=True, pace=pace)
        except SnapshotError as error:
            return error
        return None

    def _sizes_differ(self) -> bool:
        """Whether a file of the snapshot in service is gone or has another size, which is new to us."""
        snapshot = self._live.current.snapshot
        if self.damage:
            return False
        try:
            verify_files(snapshot.path, snapshot.manifest.files, checksums=False)
        except SnapshotError:
            return True
        return False

    async def _intact(self, engine: Engine) -> Verified:
        if self._damaged.pop(engine.snapshot_id, ""):
            self._watch.accept(engine.snapshot_id)
            logger.warning("snapshot %s is intact again", engine.snapshot_id)
        published = self._store.current_id()
        if published in self._damaged:
            await self._reconsider(published)
        self._report("intact", engine)
        return "intact"

    async def _reconsider(self, id: str) -> None:
        """Lets the watch load a published snapshot again whose files were put right."""
        try:
            await asyncio.to_thread(self._store.open, id, verify=True)
        except SnapshotError:
            return
        del self._damaged[id]
        self._watch.accept(id)

    async def _replace(self, engine: Engine, damage: SnapshotError) -> Verified:
        known = bool(self.damage)
        self._damaged[engine.snapshot_id] = str(damage)
        self._watch.refuse_damaged(engine.snapshot_id)
        substitute = await self._substitute()
        if substitute is None:
            if not known:
                logger.error(
                    "%s; no intact snapshot is on disk, so health is NOT_SERVING: run `shopfront build`",
                    _told(engine.snapshot_id, damage),
                )
            self._report("damaged", engine)
            return "damaged"
        self._live.take_over(self._live.under_present_scenes(substitute))
        logger.error(
            "%s; snapshot %s serves instead: run `shopfront build`",
            _told(engine.snapshot_id, damage),
            substitute.snapshot_id,
        )
        self._report("fallback", self._live.current)
        return "fallback"

    async def _substitute(self) -> Engine | None:
        """The newest intact snapshot whose models are on Triton, else the newest intact one."""
        without_models: Engine | None = None
        candidates = intact_folders(self._store, besides=set(self._damaged))
        while (snapshot := await asyncio.to_thread(next, candidates, None)) is not None:
            try:
                engine = await asyncio.to_thread(self._live.open, snapshot)
                await self._warm_up(engine)
            except (SnapshotError, SettingsError, StageBug) as error:
                logger.warning("snapshot %s cannot serve instead: %s", snapshot.manifest.id, error)
                continue
            if not await self._models.missing(engine.model_versions):
                return engine
            without_models = without_models or engine
        return without_models


class Pace:
    """Waits, on the thread that reads, so that no more than so many bytes are read per second."""

    def __init__(
        self,
        bytes_per_s: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Begins now."""
        self._bytes_per_s = bytes_per_s
        self._clock = clock
        self._sleep = sleep
        self._due = clock()

    def __call__(self, size: int) -> None:
        """Notes that `size` bytes were read."""
        now = self._clock()
        self._due = max(self._due, now) + size / self._bytes_per_s
        self._sleep(self._due - now)


def _told(id: str, damage: SnapshotError) -> str:
    parts = damage.folder.parts
    within = parts[parts.index(id) + 1 :] if id in parts else ()
    return f"snapshot {id} is damaged: {'/'.join((*within, damage.file))} {damage.fault}"
