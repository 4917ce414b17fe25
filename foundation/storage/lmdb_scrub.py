"""Takes from an LMDB file what was deleted in it: LMDB keeps the bytes of freed pages and nodes.

What means nothing is overwritten with zeros, in place and while other processes read and write. A read
transaction keeps the pages of one commit as they are, and readers never look at the gap of a page, so gaps
need no lock. Free pages are overwritten under LMDB's write lock, in steps of some milliseconds.

A process that has written what was deleted still holds copies of pages, with which it fills the gaps of pages
that it writes later (`mdb_page_malloc` uses them again as they are). So every process must have opened the
environment anew since the deletion: see `LmdbEnvironment` and its `renewed_by`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import lmdb
import numpy as np
from numpy.typing import NDArray

from foundation.storage.lmdb_pages import (
    FIRST_PAGE,
    Meta,
    free_pages,
    gaps_of_live_pages,
    read_meta,
)

_STEP_BYTES = 4 << 20
_READERS_WAIT_S = 0.05
_READERS_TRIES = 100


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """What a scrub did.

    Attributes:
        pages: pages of the file.
        gaps: gaps of live pages that were overwritten.
        freed: free pages that were overwritten.
        pinned: free pages left as they are, since a reader that has not ended in 5 s may look at them.
    """

    pages: int
    gaps: int
    freed: int
    pinned: int


def scrub(
    environment: lmdb.Environment, data_file: Path, pause: Callable[[float], None] = time.sleep
) -> Scrubbed:
    """Overwrites with zeros what means nothing in the file of an open environment; on disk on return.

    The caller lets nothing else of this process use the environment meanwhile; other processes go on.

    Args:
        environment: open for writing.
        data_file: its `data.mdb`.
        pause: waits for some seconds.

    Raises:
        PageFormatError: the file is not of the format that this program knows.
        OSError: it cannot be written.
        lmdb.Error: of the transactions, MapResizedError among them: then call again with the new size.
    """
    file = os.open(data_file, os.O_RDWR | os.O_CLOEXEC)
    try:
        with environment.begin(write=True) as none_writes, environment.begin(buffers=True) as commit:
            # Only while none writes are the meta pages sure to be of this commit.
            meta = read_meta(file, commit.id())
            none_writes.abort()
            freed = _free_by_transaction(file, meta)
            gaps = _zero_gaps(file, meta, freed)
            zeroed, pinned = _zero_freed(environment, file, meta, freed, pause)
        _zero_behind_the_end(environment, file)
        os.fsync(file)
    finally:
        os.close(file)
    return Scrubbed(meta.last_page + 1, gaps, zeroed, pinned)


def _free_by_transaction(file: int, meta: Meta) -> NDArray[np.uint64]:
    """uint64[last page + 1]: transaction that freed each page, 0 of live ones."""
    freed = np.zeros(meta.last_page + 1, np.uint64)
    for transaction, pages in free_pages(file, meta):
        freed[pages] = transaction
    return freed


def _zero_gaps(file: int, meta: Meta, freed: NDArray[np.uint64]) -> int:
    gaps = 0
    for gap in gaps_of_live_pages(file, meta, freed > 0):
        os.pwrite(file, bytes(gap.stop - gap.start), gap.start)
        gaps += 1
    return gaps


def _zero_freed(
    environment: lmdb.Environment,
    file: int,
    meta: Meta,
    freed: NDArray[np.uint64],
    pause: Callable[[float], None],
) -> tuple[int, int]:
    """Overwrites what was free in `meta` and still is; returns how many pages, and how many are pinned."""
    left = np.flatnonzero(freed)
    left = left[left >= FIRST_PAGE]
    step, done, tries = max(_STEP_BYTES // meta.page_bytes, 1), 0, 0
    nothing = bytes(meta.page_bytes)
    while left.size:
        with environment.begin(write=True) as none_writes:
            now = _free_by_transaction(file, read_meta(file, none_writes.id() - 1))
            # The others contain what was written since. Of these, some may be free again, but readers of
            # commits in between still look at them; this scrub's own reader keeps LMDB from relabelling them.
            left = left[(now[left] > 0) & (now[left] <= meta.transaction)]
            ready = left[now[left] <= _oldest_reader(environment)][:step]
            for page in ready.tolist():
                os.pwrite(file, nothing, page * meta.page_bytes)
            none_writes.abort()
        done += ready.size
        left = np.setdiff1d(left, ready, assume_unique=True)
        if left.size and not ready.size:
            tries += 1
            if tries == _READERS_TRIES:
                return done, int(left.size)
            environment.reader_check()
            pause(_READERS_WAIT_S)
    return done, 0


def _oldest_reader(environment: lmdb.Environment) -> int:
    """The oldest commit that a read transaction looks at, the scrub's own among them."""
    found = []
    for line in environment.readers().splitlines():
        words = line.split()
        # process, thread, transaction; "-" where the slot is idle.
        if len(words) == 3 and words[2].isdecimal():
            found.append(int(words[2]))
    return min(found)


def _zero_behind_the_end(environment: lmdb.Environment, file: int) -> None:
    """Overwrites what a process that was killed wrote behind the last page."""
    with environment.begin(write=True) as none_writes:
        meta = read_meta(file, none_writes.id() - 1)
        at, size = (meta.last_page + 1) * meta.page_bytes, os.fstat(file).st_size
        while at < size:
            length = min(size - at, _STEP_BYTES)
            if any(os.pread(file, length, at)):
                os.pwrite(file, bytes(length), at)
            at += length
        none_writes.abort()
