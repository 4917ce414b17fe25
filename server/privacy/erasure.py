"""Deletes everything held of a shopper, and says what is gone, what is pending and what is not reached.

The steps are such that a deletion that was killed is resumed: the store notes that it has begun before
anything goes, and forgets the shopper's id once everything is gone that could be found by it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from foundation.storage.redis_url import redacted
from loadtest.recording import SUFFIX, erase_requests
from server.privacy.log_lines import erase_lines, log_files
from server.privacy.logged_pages import entry_of
from server.privacy.places import Places
from server.privacy.recorded_requests import request_of
from server.privacy.report import ErasureReport, Pending, Remaining, Removed
from snapshot.manifest import Manifest, SnapshotError, read_manifest
from snapshot.store import SnapshotStore
from state.erasure import Compaction, ErasedState
from state.feature_log.log_file import FeatureLogError, erase_entries
from state.feature_log.log_folder import files_of
from state.feature_log.logged_page import EntryError
from state.live_counters.counter_file import CounterFileError
from state.published import read_live_manifest
from state.store import StateStore

_WRITTEN_WITHIN_S = 3.0
"""Seconds after which what a replica had in its queues when the deletion began is in its files."""
_COMPACTION_DUE = "`shopfront shopper finish`, or the next deletion"


class Erasure:
    """Deletes shoppers. It blocks until the logs are read; for a process that does not serve."""

    def __init__(
        self,
        store: StateStore,
        places: Places,
        pause: Callable[[float], None] = time.sleep,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """`wall_clock`: unix seconds."""
        self._store = store
        self._places = places
        self._pause = pause
        self._wall_clock = wall_clock
        self._state = redacted(places.state.url)

    def delete(self, user_id: str, *, compact: bool = True) -> ErasureReport:
        """Deletes a shopper. Others whose deletion was killed are deleted with it.

        compact  whether the bytes of what is deleted are taken out of the store's files at once; else that is
                 pending until `finish`

        Raises StorageError where the store fails; call again then, what is gone is gone.
        """
        for other in self._store.unfinished_erasures():
            if other != user_id:
                self._delete(other)
        erased, removed, pending = self._delete(user_id)
        compaction = self._compacted(compact)
        tombstones = self._store.tombstones()
        return ErasureReport(
            found=erased.found or bool(removed),
            deleted_until_ms=tombstones.of(user_id),
            revision=tombstones.revision,
            removed=[*_removed_state(self._state, erased), *removed],
            compacted=list(compaction.done),
            pending=[
                *pending,
                *(Pending(self._state, "bytes of what was deleted", fault) for fault in compaction.pending),
                *self._pending_learning(tombstones.revision),
                *self._pending_snapshots(tombstones.revision),
            ],
            remaining=list(self._remaining()),
        )

    def finish(self) -> tuple[int, Compaction]:
        """Resumes deletions that were killed, and compacts where due; how many, and what came of it."""
        others = self._store.unfinished_erasures()
        for other in others:
            self._delete(other)
        return len(others), self._compacted(True)

    def _delete(self, user_id: str) -> tuple[ErasedState, list[Removed], list[Pending]]:
        begun = self._wall_clock()
        erased = self._store.erase(user_id)
        removed, pending = self._erase_files(user_id, self._files(0.0))
        late = list(self._files(begun - _WRITTEN_WITHIN_S))
        if late:
            # Replicas write answers and requests a moment after they have left.
            passed = max(self._wall_clock() - begun, 0.0)  # Less than none where the clock was set back.
            self._pause(max(_WRITTEN_WITHIN_S - passed, 0.0))
            again, still = self._erase_files(user_id, self._files(begun - _WRITTEN_WITHIN_S))
            removed, pending = [*removed, *again], [*pending, *still]
        self._store.end_erasure(user_id)
        return erased, _added_up(removed), list(dict.fromkeys(pending))

    def _files(self, since: float) -> Iterator[tuple[str, Path]]:
        """(kind, path) of each file of the feature log, recording or log written to since a unix second."""
        for written, _, path in files_of(self._places.feature_log.folder):
            if written >= since:
                yield "feature log", path
        recordings = sorted(self._places.recording.folder.glob(f"*{SUFFIX}"))
        others = [("recording", path) for path in recordings]
        others += [("log", path) for path in log_files(self._places.request_log)]
        for kind, path in others:
            if _written_s(path) >= since:
                yield kind, path

    def _erase_files(
        self, user_id: str, files: Iterable[tuple[str, Path]]
    ) -> tuple[list[Removed], list[Pending]]:
        is_entry = entry_of(user_id, self._places.request_log)
        is_request = request_of(user_id, self._places.recording)
        removed, pending = [], []
        for kind, path in files:
            try:
                if kind == "feature log":
                    count, what = erase_entries(path, is_entry), "logged answers"
                elif kind == "recording":
                    count, what = erase_requests(path, is_request), "recorded requests"
                else:
                    count = erase_lines(path, user_id, self._places.request_log)
                    what = "lines of logs"
            except FileNotFoundError:
                # Rotated away meanwhile.
                continue
            except (FeatureLogError, EntryError, OSError) as error:
                pending.append(Pending(str(path), kind, f"it could not be read ({error}); delete the file"))
                continue
            if count:
                removed.append(Removed(str(path.parent), what, count))
        return removed, pending

    def _compacted(self, wanted: bool) -> Compaction:
        if not self._store.compaction_due():
            return Compaction()
        if not wanted:
            return Compaction(pending=(_COMPACTION_DUE,))
        return self._store.compact()

    def _pending_learning(self, revision: int) -> Iterator[Pending]:
        folder = self._places.learning
        what = "counts and weights under hashes of the shopper's id"
        try:
            published = read_live_manifest(folder)
        except (CounterFileError, OSError) as error:
            yield Pending(str(folder), what, f"it could not be read ({error}); remove the folder")
            return
        if published is not None and published.erasures < revision:
            yield Pending(
                str(folder),
                what,
                "the learner reads the log anew without the shopper (router.learning.erase_every_s); where "
                "none runs, remove the folder",
            )

    def _pending_snapshots(self, revision: int) -> Iterator[Pending]:
        snapshots = SnapshotStore(self._places.snapshots)
        for id in snapshots.ids():
            manifest = _manifest(snapshots.root / id)
            if manifest is not None and manifest.tombstones < revision:
                yield Pending(
                    str(snapshots.root / id),
                    f"what was learned from data set {manifest.dataset}, where the shopper is in that",
                    "the next build, which leaves the shopper out and removes both",
                )

    def _remaining(self) -> Iterator[Remaining]:
        log, recording = self._places.request_log, self._places.recording
        kept = f"the newest {log.kept_files + 1} files of {log.max_file_mib:g} MiB of each are kept"
        what = {
            "hashed": "lines with pseudonyms of another salt than request_log.salt"
            if log.salt
            else "pseudonyms of a salt that was never written",
            "omitted": "no ids of shoppers",
            "clear": "ids of shoppers in messages of errors, since request_log.user_ids is clear",
        }[log.user_ids]
        yield Remaining(f"{log.folder}/router.log*, replicas.log*", what, kept)
        files = sum(1 for _ in recording.folder.glob(f"*{SUFFIX}"))
        if files and not recording.keep_user_ids:
            yield Remaining(
                str(recording.folder),
                f"of {files} recordings, those with pseudonyms of another salt, in which nobody is found: a "
                "fresh one is taken at each start where recording.salt is not set",
                "delete their files, and set recording.salt, with which recordings can be searched",
            )
        yield Remaining(
            "the shop's own files, backups, replicas' dumps and exported traces",
            "whatever they contain",
            "the shop's; a build leaves the shopper out although the shop's files still have them",
        )


def _written_s(path: Path) -> float:
    """Unix second of a file's last write; −∞ where it was rotated away meanwhile."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return -math.inf


def _removed_state(place: str, erased: ErasedState) -> Iterator[Removed]:
    for record, rows in erased.records.items():
        yield Removed(place, f"rows of {record}", rows)
    if erased.log_entries:
        yield Removed(place, "events of the log", erased.log_entries)
    if erased.event_ids:
        yield Removed(place, "ids of events", erased.event_ids)


def _added_up(removed: Iterable[Removed]) -> list[Removed]:
    counts: dict[tuple[str, str], int] = {}
    for each in removed:
        counts[each.place, each.what] = counts.get((each.place, each.what), 0) + each.count
    return [Removed(place, what, count) for (place, what), count in counts.items()]


def _manifest(folder: Path) -> Manifest | None:
    try:
        return read_manifest(folder)
    except SnapshotError:
        # Damaged or of a newer release: it is not served by this one, and a build removes or keeps it.
        return None
