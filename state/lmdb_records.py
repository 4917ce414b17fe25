"""Users' records inside an LMDB transaction."""

from collections.abc import Mapping

import lmdb

from foundation.storage.lmdb_environment import Database, get
from state.user_records import RECORDS


class LmdbRecords:
    """A `RecordTransaction` on the database of each kind of record, keyed by the user's hash."""

    __slots__ = ("_databases", "_transaction")

    def __init__(self, transaction: lmdb.Transaction, databases: Mapping[bytes, Database]) -> None:
        """`databases`: by the name of the kind of record."""
        self._transaction = transaction
        self._databases = databases

    def get(self, name: bytes, key: bytes) -> bytes | None:
        """See `RecordTransaction.get`."""
        return get(self._transaction, key, self._databases[name])

    def put(self, name: bytes, key: bytes, record: bytes) -> None:
        """See `RecordTransaction.put`."""
        self._transaction.put(key, record, db=self._databases[name])

    def delete(self, key: bytes) -> bool:
        """Removes all records of a user, readable or not; returns whether there was any."""
        removed = [self._transaction.delete(key, db=self._databases[name]) for name in RECORDS]
        return any(removed)
