"""Each replica follows the pictures that arrive and are deleted, and takes them into its index."""

from __future__ import annotations

import asyncio
import logging
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from foundation.storage.errors import StorageError
from models.picture_encoder import FEATURES
from recall.picture_space import PictureSpace
from recall.pictures.searched import IndexChange
from recall.similar_look import NAME, SimilarLook
from router.engine.engine import Engine
from router.engine.live import LiveEngine
from snapshot.manifest import SnapshotError
from state.picture_changes import ALL_CONTENTS, PictureChange, PictureChanges
from vision.colours import COLOURS
from vision.look import knows_colours, make_looks
from vision.picture_records import decode_record

logger = logging.getLogger(__name__)

_STEP = 256
"""Changes taken into the index at a time."""


def looks_of(engine: Engine) -> SimilarLook | None:
    """The open pictures of a snapshot; None where it has none."""
    channel = engine.channels.get(NAME)
    return channel if isinstance(channel, SimilarLook) else None


class PictureFollower:
    """Keeps the indexes of one replica at what the state store has; belongs to an event loop."""

    def __init__(self, store: PictureChanges, interval_s: float) -> None:
        """`interval_s`: seconds between two looks at the store."""
        self._store = store
        self._interval_s = interval_s
        self._one_at_a_time = asyncio.Lock()
        self._complained = False

    async def prepare(self, engine: Engine) -> None:
        """Brings an engine up to date before it serves; it finds nothing until the store has answered.

        Raises SnapshotError where its pictures are of features that no encoder of this program makes, or of
        other colours.
        """
        looks = looks_of(engine)
        if looks is None:
            return
        if looks.space.features != FEATURES:
            raise SnapshotError(
                engine.snapshot.path,
                NAME,
                f"has pictures of {looks.space.features} features, the encoder makes {FEATURES}",
                "build the snapshot again",
            )
        if not knows_colours(looks.space):
            raise SnapshotError(
                engine.snapshot.path,
                NAME,
                f"has pictures of {looks.space.colours} colours, this program counts {COLOURS}",
                "build the snapshot again",
            )
        try:
            await self.catch_up(engine)
        except StorageError as error:
            looks.withheld = f"it is not known which pictures were deleted: {error}"
            logger.warning("pictures are not searched until the state store answers: %s", error)

    async def catch_up(self, engine: Engine) -> None:
        """Takes everything that the store has into the engine's index. Raises StorageError."""
        looks = looks_of(engine)
        if looks is not None:
            async with self._one_at_a_time:
                await asyncio.to_thread(take_up, looks, self._store)
                looks.withheld = ""

    async def run(self, live: LiveEngine) -> None:
        """Follows until cancelled; while the store does not answer, what was taken up before stays."""
        while True:
            await asyncio.sleep(self._interval_s)
            try:
                await self.catch_up(live.current)
                self._complained = False
            except StorageError as error:
                if not self._complained:
                    logger.warning("pictures that arrive are not taken up: %s", error)
                self._complained = True


def take_up(looks: SimilarLook, store: PictureChanges) -> None:
    """Takes the changes after the index's own revision into it. Raises StorageError."""
    taken_up = looks.revision
    if store.revision() <= taken_up:
        return
    changes = store.since(taken_up)
    while part := list(islice(changes, _STEP)):
        looks.apply(_in_terms_of(looks, part), part[-1].revision)


def _in_terms_of(looks: SimilarLook, changes: list[PictureChange]) -> list[IndexChange]:
    """Of items that the snapshot has, and of pictures that its encoder encoded; others wait for a build."""
    keys = np.array([change.item for change in changes], np.uint64)
    space, found, kept = looks.space, [], []
    for item, change in zip(looks.catalogue.dense_from_keys(keys).tolist(), changes, strict=True):
        record = None
        if change.record is not None:
            record = decode_record(change.record, space.encoder, space.features)
        if item and (change.record is None or record is not None):
            found.append((item, change.content))
            kept.append(record)
    put = [record for record in kept if record is not None]
    vectors = iter(_vectors(space, np.array(put))) if put else iter(())
    return [
        IndexChange(item, _content(content), None if record is None else next(vectors))
        for (item, content), record in zip(found, kept, strict=True)
    ]


def _vectors(space: PictureSpace, records: NDArray[np.void]) -> NDArray[np.float32]:
    """float32[n, D] of records of `vision.picture_records`."""
    return space.project(make_looks(records["features"].astype(np.float32), records["copy"], space.colours))


def _content(content: bytes) -> tuple[int, int] | None:
    if content == ALL_CONTENTS:
        return None
    return int.from_bytes(content[:8], "little"), int.from_bytes(content[8:], "little")
