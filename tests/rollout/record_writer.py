"""A process that starts rollouts in a store others write too: `record_writer FOLDER NAME TRIES`."""

from __future__ import annotations

import sys
from pathlib import Path

from rollout import transitions
from rollout.errors import TransitionNotAllowed
from rollout.lmdb_store import LmdbRolloutStore
from tests.rollout.plans import started


def main(folder: str, name: str, tries: int) -> None:
    """Prints the id of each rollout that this process started; each is aborted by whoever sees it."""
    store = LmdbRolloutStore(Path(folder))
    for attempt in range(tries):
        record = store.read("bst")
        try:
            change = started(record, id=f"{name}-{attempt}", actor=name)
        except TransitionNotAllowed:
            store.compare_and_swap(*_parts(transitions.abort(record, name, 1.0, "make room")))
            continue
        if store.compare_and_swap(*_parts(change)):
            print(change.record.rollout.id if change.record.rollout else "", flush=True)
    store.close()


def _parts(change: transitions.Change) -> tuple[transitions.ModelRecord, transitions.HistoryEntry]:
    return change.record, change.entry


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
