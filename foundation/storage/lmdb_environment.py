"""An LMDB environment whose map grows, shared by threads and by processes.

LMDB forbids changing the map while a transaction of the same process is open, so reads hold `_map_lock` and
writes hold `_write_lock`; a change of the map holds both. Writers of other processes are kept apart by
LMDB's own lock, which the kernel releases when its holder dies.
"""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias, TypeVar, cast

import lmdb

from foundation.storage.errors import StorageError, StorageUnavailable
from foundation.storage.lmdb_files import DATA_FILE, LmdbFiles, allocate_lock_file
from foundation.storage.names import StorageNames

T = TypeVar("T")
Database: TypeAlias = "lmdb._Database"


def get(transaction: lmdb.Transaction, key: bytes, database: Database) -> bytes | None:
    """A copy of the value under a key, None where there is none."""
    return cast("bytes | None", transaction.get(key, db=database))


class LmdbEnvironment:
    """Runs functions inside read and write transactions; a commit is durable when `sync` is on."""

    def __init__(
        self,
        folder: Path,
        databases: tuple[bytes, ...],
        names: StorageNames,
        *,
        map_initial_bytes: int,
        map_max_bytes: int,
        max_readers: int,
        sync: bool,
        renewed_by: tuple[bytes, bytes] | None = None,
    ) -> None:
        """Opens, and creates where absent, the environment and its named databases.

        `renewed_by` names a database and a key: once its value changes, this process opens the environment
        anew before it writes again. LMDB keeps pages that a process has written in its memory and fills the
        gaps of later pages with them; so what is deleted from the file stays deleted.

        Raises:
            StorageError: the folder cannot be created, opened or locked, or is open in this process already.
        """
        self.folder = folder
        self._names = names
        self._renewed_by = renewed_by
        self._renewal: bytes | None = None
        self._is_open = True
        self._max_readers = max_readers
        self._map_bytes = map_initial_bytes
        self._sync = sync
        self._map_max_bytes = map_max_bytes
        self._map_lock = threading.Lock()
        self._write_lock = threading.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Left open where opening fails: this process may have the environment open already.
            self._lock_file: int | None = allocate_lock_file(folder, max_readers)
            self._env = self._opened(len(databases), map_initial_bytes)
            self._files = LmdbFiles(folder, names)
        except (OSError, lmdb.Error) as error:
            raise StorageError(
                f"cannot open {names.contents} in {folder}: {error}; check that the folder is writable, "
                "that it is LMDB's and that this process has not opened it already"
            ) from error
        try:
            # A process that died inside a read would otherwise pin old pages and let the file grow.
            self._env.reader_check()
            self.databases = {name: self._open_database(name) for name in databases}
            self._renewal = self._stored_renewal()
        except lmdb.Error as error:
            self._env.close()
            raise StorageError(
                f"cannot open the databases of {names.contents} in {folder}: {error}"
            ) from error

    def _opened(self, databases: int, map_bytes: int) -> lmdb.Environment:
        return lmdb.open(
            str(self.folder),
            map_size=map_bytes,
            max_dbs=databases,
            max_readers=self._max_readers,
            max_spare_txns=1,
            sync=self._sync,
            metasync=self._sync,
            # Reads touch a few pages of one user; reading ahead only evicts other users' pages.
            readahead=False,
            mode=0o700,
        )

    def _open_database(self, name: bytes) -> Database:
        while True:
            try:
                return self._env.open_db(name)
            except lmdb.MapResizedError:
                self._env.set_mapsize(0)

    def read(self, work: Callable[[lmdb.Transaction], T]) -> T:
        """Result of `work` on one consistent view; what it returns must not refer to the transaction."""
        while True:
            with self._map_lock:
                self._files.check()
                self._check_open()
                try:
                    with self._env.begin() as transaction:
                        return work(transaction)
                except lmdb.MapResizedError:
                    pass
                except lmdb.Error as error:
                    raise StorageError(
                        f"cannot read {self._names.contents} in {self.folder}: {error}"
                    ) from error
            self._adopt_map()

    def write(self, work: Callable[[lmdb.Transaction], T]) -> T:
        """Result of `work` once its changes are committed; where it raises, nothing is changed.

        `work` runs again from the start where the map had to grow, so it may only change the transaction.

        Raises:
            StorageError: the map is full at `map_max_bytes`, or the environment failed.
            StorageUnavailable: a file of it was removed, replaced or shortened.
        """
        with self._write_lock:
            while True:
                self._files.check()
                try:
                    if not self._is_open:
                        self._open_anew()
                    with self._env.begin(write=True) as transaction:
                        if self._renewal_in(transaction) == self._renewal:
                            return work(transaction)
                    self._open_anew()
                except lmdb.MapFullError as error:
                    self._grow_map(error)
                except lmdb.MapResizedError:
                    with self._map_lock:
                        if self._is_open:
                            self._env.set_mapsize(0)
                except lmdb.Error as error:
                    raise StorageError(
                        f"cannot write {self._names.contents} in {self.folder}: {error}"
                    ) from error

    def maintain(self, work: Callable[[lmdb.Environment, Path], T]) -> T:
        """Result of `work` on the environment and its data file; this process does nothing else meanwhile.

        Raises StorageError where LMDB fails, and what `work` raises.
        """
        with self._write_lock, self._map_lock:
            while True:
                self._files.check()
                self._check_open()
                try:
                    return work(self._env, self.folder / DATA_FILE)
                except lmdb.MapResizedError:
                    self._env.set_mapsize(0)
                except lmdb.Error as error:
                    raise StorageError(
                        f"cannot maintain {self._names.contents} in {self.folder}: {error}"
                    ) from error

    def _renewal_in(self, transaction: lmdb.Transaction) -> bytes | None:
        if self._renewed_by is None:
            return None
        database, key = self._renewed_by
        return get(transaction, key, self.databases[database])

    def _check_open(self) -> None:
        if not self._is_open:
            raise StorageUnavailable(f"{self._names.contents} in {self.folder} is being opened anew")

    def _stored_renewal(self) -> bytes | None:
        while True:
            try:
                with self._env.begin() as transaction:
                    return self._renewal_in(transaction)
            except lmdb.MapResizedError:
                self._env.set_mapsize(0)

    def _open_anew(self) -> None:
        """Opens the environment again, with fresh memory of its own; handles in `databases` change."""
        with self._map_lock:
            if self._is_open:
                self._map_bytes = self._env.info()["map_size"]
                self._files.make_closable()
                self._env.close()
                # Where opening fails, such as for want of file descriptors, the next write tries again.
                self._is_open = False
            self._env = self._opened(len(self.databases), self._map_bytes)
            try:
                for name in self.databases:
                    self.databases[name] = self._open_database(name)
                self._renewal = self._stored_renewal()
            except BaseException:
                # Left open it could never be opened again: LMDB allows a process one of each.
                self._env.close()
                raise
            self._is_open = True

    def _grow_map(self, cause: lmdb.MapFullError) -> None:
        size = self._env.info()["map_size"]
        if size >= self._map_max_bytes:
            raise StorageError(
                f"the LMDB environment {self.folder} of {self._names.contents} is full at {size} bytes; "
                f"{self._names.when_full}"
            ) from cause
        with self._map_lock:
            self._env.set_mapsize(min(2 * size, self._map_max_bytes))

    def _adopt_map(self) -> None:
        """Adopts the map size of the process that has grown it."""
        with self._write_lock, self._map_lock:
            self._env.set_mapsize(0)

    def check_readers(self) -> int:
        """Frees the reader slots of processes that died; returns how many."""
        self._files.check()
        with self._map_lock:
            return int(self._env.reader_check()) if self._is_open else 0

    def close(self) -> None:
        """Closes the environment; the caller has ended all other use. Idempotent."""
        with self._write_lock, self._map_lock:
            if self._lock_file is None:
                return
            self._files.make_closable()
            self._env.close()
            os.close(self._lock_file)
            self._lock_file = None

    def is_whole(self) -> bool:
        """Whether its files are still what was mapped; where not, every read and write fails."""
        try:
            self._files.check()
        except StorageUnavailable:
            return False
        return True
