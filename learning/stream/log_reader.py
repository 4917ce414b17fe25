"""Reads the event log for the learner: past corrupt entries, and noticing a log that began anew."""

from __future__ import annotations

from typing import Any

from state.errors import CorruptEntry
from state.logged_event import LoggedEvent
from state.store import StateStore


class LogReader:
    """Reads one store's log; every method may raise StorageError."""

    def __init__(self, store: StateStore, batch_events: int) -> None:
        """`batch_events`: most entries that are read at once."""
        self._store = store
        self._batch_events = batch_events

    def entries(self, after: int) -> tuple[list[tuple[int, LoggedEvent]], CorruptEntry | None]:
        """The entries behind sequence number `after`, and the corrupt one that follows them, or None."""
        try:
            return list(self._store.read_log(after, self._batch_events)), None
        except CorruptEntry:
            pass
        # One by one, up to it.
        entries: list[tuple[int, LoggedEvent]] = []
        while True:
            try:
                found = list(self._store.read_log(entries[-1][0] if entries else after, 1))
            except CorruptEntry as corrupt:
                return entries, corrupt
            if not found:
                return entries, None
            entries += found

    def began_anew(self, seq: int) -> bool:
        """Whether the log has entries before `seq`, the last one that was read, but not that one."""
        if not seq:
            return False
        oldest = self._next_seq(0)
        if oldest is None or oldest >= seq:
            return False
        return self._next_seq(seq - 1) != seq

    def _next_seq(self, after: int) -> int | None:
        """Sequence number of the next entry, readable or not; None where there is none."""
        try:
            found: Any = next(iter(self._store.read_log(after, 1)), None)
        except CorruptEntry as corrupt:
            return corrupt.seq
        return None if found is None else int(found[0])
