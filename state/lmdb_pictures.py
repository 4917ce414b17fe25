"""Changes of pictures in LMDB.

Database `pictures`: item key and content → kind, revision and record; `picture_log`: revision → that key.
The last revision is in `meta`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from functools import partial

import lmdb

from foundation.storage.lmdb_environment import LmdbEnvironment, get
from state.picture_changes import (
    ALL_CONTENTS,
    MAKER_BYTES,
    Outcome,
    PictureChange,
    decoded,
    maker_of,
)

PICTURES, PICTURE_LOG = b"pictures", b"picture_log"
_REVISION = b"pictures_revision"
_NUMBER = struct.Struct(">Q")
_CHUNK = 1_000


class LmdbPictures:
    """`state.picture_changes.PictureChanges` in an LMDB environment; a call's changes are one transaction."""

    def __init__(self, environment: LmdbEnvironment) -> None:
        """`environment`: has the databases `pictures`, `picture_log` and `meta`."""
        self._environment = environment

    def change(self, changes: Sequence[PictureChange], most_per_item: int) -> list[Outcome]:
        """See `PictureChanges.change`; either all of them are stored or none."""

        def work(transaction: lmdb.Transaction) -> list[Outcome]:
            return [self._apply(transaction, each, most_per_item) for each in changes]

        return self._environment.write(work)

    def since(self, revision: int) -> Iterator[PictureChange]:
        """See `PictureChanges.since`."""
        while True:
            found = self._environment.read(partial(self._read, after=revision))
            yield from found
            if len(found) < _CHUNK:
                return
            revision = found[-1].revision

    def revision(self) -> int:
        """See `PictureChanges.revision`."""
        return self._environment.read(self._revision)

    def _read(self, transaction: lmdb.Transaction, after: int) -> list[PictureChange]:
        databases = self._environment.databases
        found: list[PictureChange] = []
        with transaction.cursor(db=databases[PICTURE_LOG]) as cursor:
            here = cursor.set_range(_NUMBER.pack(after + 1))
            while here and len(found) < _CHUNK:
                key = bytes(cursor.value())
                stored = get(transaction, key, databases[PICTURES])
                if stored is not None:
                    found.append(decoded(key, stored))
                here = cursor.next()
        return found

    def _revision(self, transaction: lmdb.Transaction) -> int:
        stored = get(transaction, _REVISION, self._environment.databases[b"meta"])
        return 0 if stored is None else int(_NUMBER.unpack(stored)[0])

    def _apply(self, transaction: lmdb.Transaction, change: PictureChange, most: int) -> Outcome:
        before = self._of_item(transaction, change.item)
        present = before.get(change.key)
        if change.record is not None:
            maker = None if present is None else maker_of(present)
            if maker == change.record[:MAKER_BYTES]:
                return "unchanged"
            if maker is None and sum(maker_of(each) is not None for each in before.values()) >= most:
                return "too_many"
        elif change.content == ALL_CONTENTS:
            if list(before) == [change.key]:
                return "unchanged"
            for key, stored in before.items():
                self._remove(transaction, key, stored)
            present = None
        elif present is None:
            if PictureChange(change.item, ALL_CONTENTS, None).key in before:
                return "unchanged"
        elif maker_of(present) is None:
            return "unchanged"
        if present is not None:
            self._remove(transaction, change.key, present)
        revision = self._revision(transaction) + 1
        databases = self._environment.databases
        transaction.put(_REVISION, _NUMBER.pack(revision), db=databases[b"meta"])
        transaction.put(change.key, change.encoded(revision), db=databases[PICTURES])
        transaction.put(_NUMBER.pack(revision), change.key, db=databases[PICTURE_LOG])
        return "deleted" if change.record is None else "stored"

    def _of_item(self, transaction: lmdb.Transaction, item: int) -> dict[bytes, bytes]:
        prefix = item.to_bytes(8, "big")
        found = {}
        with transaction.cursor(db=self._environment.databases[PICTURES]) as cursor:
            here = cursor.set_range(prefix)
            while here and bytes(cursor.key()).startswith(prefix):
                found[bytes(cursor.key())] = bytes(cursor.value())
                here = cursor.next()
        return found

    def _remove(self, transaction: lmdb.Transaction, key: bytes, stored: bytes) -> None:
        databases = self._environment.databases
        transaction.delete(key, db=databases[PICTURES])
        transaction.delete(_NUMBER.pack(decoded(key, stored).revision), db=databases[PICTURE_LOG])
