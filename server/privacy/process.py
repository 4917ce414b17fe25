"""Runs a replica's workers, and keeps what the replica itself holds of shoppers in step with deletions."""

from __future__ import annotations

import asyncio
import logging
import random
import signal
import subprocess
import sys
from collections.abc import Callable

import msgspec

from foundation.storage.errors import StorageError, StorageUnavailable
from inspection.recent_pages import RecentPages
from server.privacy.places import Places
from server.privacy.report import ErasureReport
from server.privacy.worker import FAILED, OK, ExportedPart, Finished, Order
from state.store import StateStore
from triton_repo.bound_process import bound

logger = logging.getLogger(__name__)

_LOOKED_EVERY_S = 2.0
_RESUMED_WITHIN_S = 20.0


class WorkerDied(Exception):
    """The worker ended by itself without an answer, a bug. What it has begun is resumed."""


class PrivacyWorkers:
    """Starts one worker for each call; it ends with this process, and its work is resumed by another."""

    def __init__(self, places: Places) -> None:
        """`places`: where data of shoppers are."""
        self._places = places.model_dump_json()

    async def delete(self, user_id: str, *, compact: bool) -> ErasureReport:
        """Deletes a shopper. Raises `StorageUnavailable`, `WorkerDied`."""
        order = Order(action="delete", places=self._places, user_id=user_id, compact=compact)
        return msgspec.json.decode(await self._run(order), type=ErasureReport)

    async def export(self, user_id: str, skip: int) -> ExportedPart:
        """A part of what is held of a shopper. Raises as `delete`."""
        order = Order(action="export", places=self._places, user_id=user_id, skip=skip)
        return msgspec.json.decode(await self._run(order), type=ExportedPart)

    async def finish(self) -> Finished:
        """Resumes deletions that were killed. Raises as `delete`."""
        return msgspec.json.decode(
            await self._run(Order(action="finish", places=self._places)), type=Finished
        )

    async def _run(self, order: Order) -> bytes:
        # The process must be started by a thread that lives as long as it does.
        finished = await asyncio.to_thread(_said_to, msgspec.json.encode(order))
        if finished.returncode < 0:
            raise StorageUnavailable(
                f"the worker for shoppers' data was ended by {_signal_name(-finished.returncode)}; call "
                "again, what it began is resumed"
            )
        last = finished.stdout.rstrip(b"\n").rpartition(b"\n")[2]
        if last.startswith(FAILED.encode()):
            raise StorageUnavailable(last.decode().removeprefix(FAILED))
        if not last.startswith(OK.encode()):
            raise WorkerDied("the worker that handles shoppers' data has ended without an answer")
        return last[len(OK) :]


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _said_to(order: bytes) -> subprocess.CompletedProcess[bytes]:
    command = bound([sys.executable, "-m", "server.privacy.worker"])
    return subprocess.run(command, input=order, stdout=subprocess.PIPE, check=False)


async def follow_erasures(
    store: StateStore,
    recent: RecentPages,
    workers: PrivacyWorkers,
    draw: Callable[[], float] = random.random,
) -> None:
    """Forgets pages of shoppers that were deleted, by whichever process, and resumes deletions; for ever.

    Deletions that were killed are resumed some seconds after a start, not by all replicas at once: `draw`
    gives 0…1 of these seconds.
    """
    known = 0
    resume_at = draw() * _RESUMED_WITHIN_S
    waited = 0.0
    while True:
        await asyncio.sleep(_LOOKED_EVERY_S)
        try:
            revision = await asyncio.to_thread(store.erasures_revision)
            if revision != known:
                recent.forget(await asyncio.to_thread(store.tombstones))
                known = revision
            waited += _LOOKED_EVERY_S
            if revision and resume_at is not None and waited >= resume_at:
                resume_at = float("inf")
                await _resume(store, workers)
        except StorageError as error:
            # The store's own metrics and log lines say so too.
            logger.debug("deletions of shoppers cannot be looked at: %s", error)


async def _resume(store: StateStore, workers: PrivacyWorkers) -> None:
    if not await asyncio.to_thread(_is_due, store):
        return
    try:
        finished = await workers.finish()
    except (StorageError, WorkerDied) as error:
        logger.error("deletions of shoppers that were killed are not resumed: %s", error)
        return
    logger.info("%d deletions of shoppers were resumed", finished.resumed)
    for pending in finished.pending:
        logger.warning("of deleted shoppers is left: %s", pending)


def _is_due(store: StateStore) -> bool:
    return bool(store.unfinished_erasures()) or store.compaction_due()
