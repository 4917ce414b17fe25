"""Deletes shoppers from an LMDB environment, and their bytes from its file."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import lmdb

from foundation.storage.lmdb_environment import LmdbEnvironment
from foundation.storage.lmdb_pages import PageFormatError
from foundation.storage.lmdb_scrub import scrub
from foundation.storage.lmdb_separators import forget_separators
from snapshot.tombstones import user_hash
from state.deduplication import Deduplication
from state.erasure import Compaction, ErasedState
from state.event_log import EntriesOf
from state.lmdb_erasures import LmdbErasures
from state.lmdb_log import LmdbLog
from state.lmdb_records import LmdbRecords
from state.user_records import RECORDS, UserRecords

_FIND_STEP = 20_000
_ERASE_STEP = 1_000


class LmdbDeletions:
    """What a deletion does to records, log and remembered event ids, in several transactions."""

    def __init__(
        self,
        environment: LmdbEnvironment,
        records: UserRecords,
        log: LmdbLog,
        seen: Deduplication,
        erasures: LmdbErasures,
    ) -> None:
        """`erasures`: where deletions are noted; the others are of the same environment."""
        self._environment = environment
        self._records = records
        self._log = log
        self._seen = seen
        self._erasures = erasures

    def erase(self, user_id: str, now_ms: int) -> ErasedState:
        """See `StateStore.erase`."""
        hashed = user_hash(user_id)

        def begin(transaction: lmdb.Transaction) -> tuple[dict[str, int], int]:
            self._erasures.begin(transaction, user_id, now_ms)
            records = LmdbRecords(transaction, self._environment.databases)
            rows = self._records.rows(records, hashed)
            records.delete(hashed)
            return rows, self._seen.forget(transaction, hashed)

        rows, event_ids = self._environment.write(begin)
        removed = 0
        for found in self.logged(user_id):
            for start in range(0, len(found), _ERASE_STEP):
                step = [seq for seq, _ in found[start : start + _ERASE_STEP]]
                removed += self._environment.write(partial(self._log.remove, seqs=step))
        prefixes = dict.fromkeys(RECORDS, (hashed,)) | {b"seen": self._seen.prefixes(hashed, now_ms // 1_000)}
        self._environment.maintain(partial(forget_separators, prefixes=prefixes))
        return ErasedState(rows, removed, event_ids)

    def compact(self) -> Compaction:
        """See `StateStore.compact`."""
        # The first write opens the environment anew, so that this process has no copies of freed pages.
        ended = self._environment.write(self._erasures.ended)
        try:
            scrubbed = self._environment.maintain(scrub)
        except (PageFormatError, OSError) as error:
            return Compaction(
                pending=(
                    f"{self._environment.folder}: freed bytes cannot be overwritten ({error}); stop every "
                    "router, copy it with `mdb_copy -c` into a new folder and put that in its place",
                )
            )
        if scrubbed.pinned:
            return Compaction(
                pending=(
                    f"{self._environment.folder}: {scrubbed.pinned} freed pages are in use by a process "
                    "that does not end its read; it is stopped or hangs: end it, then call again",
                )
            )
        self._environment.write(partial(self._erasures.compacted, ended=ended))
        return Compaction(
            (
                f"{self._environment.folder}: {scrubbed.freed} freed pages and {scrubbed.gaps} gaps of "
                f"{scrubbed.pages} pages were overwritten",
            )
        )

    def logged(self, user_id: str) -> Iterator[list[tuple[int, bytes]]]:
        """A user's entries of the log by sequence number, a part of the log at a time."""
        is_wanted, last = EntriesOf(user_id), 0
        while True:
            found, reached = self._environment.read(
                partial(self._log.find, is_wanted=is_wanted, after_seq=last, limit=_FIND_STEP)
            )
            if found:
                yield found
            if not reached:
                return
            last = reached
