"""One writer thread that commits what many callers submit in few transactions.

Group commit (DeWitt et al., "Implementation Techniques for Main Memory Database Systems", SIGMOD 1984): while
one group is being flushed the next one gathers, so the cost of the flush is shared by all that wait for it.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from foundation.storage.errors import StorageUnavailable
from state.errors import QueueFull

Batch = TypeVar("Batch")
Note = TypeVar("Note")
Result = TypeVar("Result")

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Pending(Generic[Batch, Result]):
    batch: Batch
    size: int
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[Result]


@dataclass(slots=True)
class _Failed:
    """What a batch came to whose commit raised."""

    error: BaseException


def _settle(settled: Sequence[tuple[asyncio.Future[Result], Result | _Failed]]) -> None:
    for done, outcome in settled:
        if done.done():
            continue
        if isinstance(outcome, _Failed):
            done.set_exception(outcome.error)
        else:
            done.set_result(outcome)


class GroupCommit(Generic[Batch, Note, Result]):
    """Queues of batches, which callers wait for, and of notes, which no caller waits for.

    `commit(batches, notes)` stores a group and returns when it is durable, with the result for each
    batch's caller, or raises and has stored nothing.
    Where a group of several batches fails, each is tried by itself, so that one cannot fail another; but a
    `StorageUnavailable` fails the whole group, which would only wait for the same timeout once per batch.
    `idle()` is called from the writer thread about every `idle_s` seconds.
    """

    def __init__(
        self,
        commit: Callable[[list[Batch], list[Note]], Sequence[Result]],
        idle: Callable[[], None],
        *,
        max_queued: int,
        max_group: int,
        max_notes: int,
        notes_wait_s: float,
        idle_s: float = 60.0,
    ) -> None:
        """Starts the writer thread.

        Args:
            commit: stores a group, as in the class.
            idle: called now and then, as in the class.
            max_queued: size of the batches that the queue holds at most.
            max_group: size of the batches of one group at most.
            max_notes: size of the notes that wait at most; further notes are dropped.
            notes_wait_s: seconds that notes wait at most for a group of batches.
            idle_s: seconds between two calls of `idle`.
        """
        self._commit = commit
        self._idle = idle
        self._max_queued = max_queued
        self._max_group = max_group
        self._max_notes = max_notes
        self._notes_wait_s = notes_wait_s
        self._idle_s = idle_s
        self._batches: deque[_Pending[Batch, Result]] = deque()
        self._notes: deque[tuple[Note, int]] = deque()
        self._notes_due: float | None = None
        self._changed = threading.Condition()
        self._closing = False
        self.queued = 0
        self.queued_notes = 0
        self.dropped_notes = 0
        self.groups = 0
        self._thread = threading.Thread(target=self._run, name="state-writer", daemon=True)
        self._thread.start()

    async def submit(self, batch: Batch, size: int) -> Result:
        """Waits until a batch of `size` rows is durable; what `commit` returned for it.

        Raises:
            QueueFull: other batches leave no room for it.
            RuntimeError: the writer is closed.
            Exception: what `commit` raised for this batch.
        """
        loop = asyncio.get_running_loop()
        pending: _Pending[Batch, Result] = _Pending(batch, size, loop, loop.create_future())
        with self._changed:
            if self._closing:
                raise RuntimeError("the state store is closed")
            if self.queued and self.queued + size > self._max_queued:
                raise QueueFull(self.queued)
            self._batches.append(pending)
            self.queued += size
            self._changed.notify()
        return await pending.done

    def note(self, note: Note, size: int) -> None:
        """Queues a note of `size` rows without waiting; drops and counts it where there is no room."""
        with self._changed:
            if self._closing or self.queued_notes + size > self._max_notes:
                self.dropped_notes += size
                return
            self._notes.append((note, size))
            self.queued_notes += size
            if self._notes_due is None:
                self._notes_due = time.monotonic() + self._notes_wait_s
                self._changed.notify()

    def close(self) -> None:
        """Commits what is queued and ends the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        next_idle = time.monotonic() + self._idle_s
        while True:
            with self._changed:
                self._wait_for_work(next_idle)
                batches, notes = self._take_group()
                if not batches and not notes and self._closing:
                    return
            if batches or notes:
                self._commit_group(batches, notes)
            if time.monotonic() >= next_idle:
                try:
                    self._idle()
                except Exception:
                    # The thread must outlive a failed clean-up: callers wait for it, and the next group shows
                    # a lasting fault to them.
                    log.exception("cleaning up the state store failed")
                next_idle = time.monotonic() + self._idle_s

    def _wait_for_work(self, next_idle: float) -> None:
        while not self._batches and not self._closing:
            now = time.monotonic()
            due = next_idle if self._notes_due is None else min(next_idle, self._notes_due)
            if now >= due:
                return
            self._changed.wait(due - now)

    def _take_group(self) -> tuple[list[_Pending[Batch, Result]], list[tuple[Note, int]]]:
        batches: list[_Pending[Batch, Result]] = []
        size = 0
        while self._batches and (not batches or size + self._batches[0].size <= self._max_group):
            pending = self._batches.popleft()
            size += pending.size
            if pending.done.cancelled():
                self.queued -= pending.size
            else:
                batches.append(pending)
        notes: list[tuple[Note, int]] = []
        note_size = 0
        while self._notes and (not notes or note_size + self._notes[0][1] <= self._max_group):
            note = self._notes.popleft()
            note_size += note[1]
            notes.append(note)
        self._notes_due = time.monotonic() if self._notes else None
        return batches, notes

    def _commit_group(self, batches: list[_Pending[Batch, Result]], notes: list[tuple[Note, int]]) -> None:
        settled: list[tuple[_Pending[Batch, Result], Result | _Failed]] = []
        dropped = 0
        try:
            results = self._commit([pending.batch for pending in batches], [note for note, _ in notes])
            settled = list(zip(batches, results, strict=True))
            self.groups += 1
        except Exception as error:
            if isinstance(error, StorageUnavailable):
                settled = [(pending, _Failed(error)) for pending in batches]
                dropped = sum(size for _, size in notes)
                if dropped:
                    log.warning("dropped %d served items: %s", dropped, error)
            elif len(batches) + bool(notes) == 1 and batches:
                settled = [(batches[0], _Failed(error))]
            else:
                for pending in batches:
                    alone = self._commit_alone([pending.batch], [])
                    settled.append((pending, alone if isinstance(alone, _Failed) else alone[0]))
                for note, size in notes:
                    alone = self._commit_alone([], [note])
                    if isinstance(alone, _Failed):
                        dropped += size
                        log.warning("dropped %d served items: %s", size, alone.error)
        with self._changed:
            self.queued -= sum(pending.size for pending in batches)
            self.queued_notes -= sum(size for _, size in notes)
            self.dropped_notes += dropped
        self._report(settled)

    def _commit_alone(self, batches: list[Batch], notes: list[Note]) -> Sequence[Result] | _Failed:
        try:
            results = self._commit(batches, notes)
        except Exception as error:
            return _Failed(error)
        self.groups += 1
        return results

    @staticmethod
    def _report(settled: Sequence[tuple[_Pending[Batch, Result], Result | _Failed]]) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Result], Result | _Failed]]] = {}
        for pending, outcome in settled:
            by_loop.setdefault(pending.loop, []).append((pending.done, outcome))
        for loop, futures in by_loop.items():
            try:
                loop.call_soon_threadsafe(_settle, futures)
            except RuntimeError:
                log.warning("%d writers of events left before their events were stored", len(futures))
