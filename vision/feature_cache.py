"""What is computed of a picture, by its content, so that none is encoded twice, whatever ends a build."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import lmdb
import numpy as np

from foundation.storage.lmdb_environment import LmdbEnvironment, get
from foundation.storage.names import StorageNames
from vision.picture_records import record_of

_DATABASE = b"features"
_NAMES = StorageNames(
    contents="features of pictures",
    url="pictures",
    prefix="",
    when_full="remove the folder: its content is computed again",
    when_out_of_memory="",
)
_FIRST_BYTES, _MOST_BYTES = 64 * 2**20, 2**40


KEY_BYTES = 16
"""Length of what names a content."""


def content_key(content: bytes) -> bytes:
    """16 bytes that name a picture's content."""
    return hashlib.blake2b(content, digest_size=KEY_BYTES).digest()


class Records(Protocol):
    """Where records of contents are kept."""

    @property
    def record(self) -> np.dtype[np.void]:
        """The type of a record."""
        ...

    def read(self, keys: Sequence[bytes]) -> dict[bytes, np.void]:
        """The records of those of `keys` that are kept."""
        ...

    def write(self, records: Mapping[bytes, np.void]) -> None:
        """Keeps records by key."""
        ...


class FeatureCache:
    """Records in LMDB, by encoder and content; a batch is kept whole or not at all."""

    def __init__(self, folder: Path, encoder: str, features: int) -> None:
        """Opens the cache in `folder`, which is created.

        Args:
            folder: of the LMDB environment.
            encoder: names the weights and the preparation of pictures; others' features are not read.
            features: length of the features.

        Raises:
            StorageError: the folder cannot be opened.
        """
        self._prefix = hashlib.blake2b(encoder.encode(), digest_size=8).digest()
        self._record = record_of(features)
        self._environment = LmdbEnvironment(
            folder,
            (_DATABASE,),
            _NAMES,
            map_initial_bytes=_FIRST_BYTES,
            map_max_bytes=_MOST_BYTES,
            max_readers=16,
            sync=True,
        )

    @property
    def maker(self) -> bytes:
        """8 bytes that name the encoder."""
        return self._prefix

    @property
    def record(self) -> np.dtype[np.void]:
        """The type of a record."""
        return self._record

    def keys(self) -> list[bytes]:
        """The keys of all records of this encoder, ascending."""
        database = self._environment.databases[_DATABASE]
        prefix = self._prefix

        def found(transaction: lmdb.Transaction) -> list[bytes]:
            keys = []
            with transaction.cursor(db=database) as cursor:
                there = cursor.set_range(prefix)
                while there and (key := bytes(cursor.key())).startswith(prefix):
                    keys.append(key[len(prefix) :])
                    there = cursor.next()
            return keys

        return self._environment.read(found)

    def read(self, keys: Sequence[bytes]) -> dict[bytes, np.void]:
        """The records of those of `keys` that are kept."""
        database = self._environment.databases[_DATABASE]

        def found(transaction: lmdb.Transaction) -> dict[bytes, bytes | None]:
            return {key: get(transaction, self._prefix + key, database) for key in keys}

        return {
            key: np.frombuffer(value, self._record)[0]
            for key, value in self._environment.read(found).items()
            if value is not None and len(value) == self._record.itemsize
        }

    def write(self, records: Mapping[bytes, np.void]) -> None:
        """Keeps records by key; durable when it returns."""
        database = self._environment.databases[_DATABASE]

        def put(transaction: lmdb.Transaction) -> None:
            for key, values in records.items():
                transaction.put(self._prefix + key, values.tobytes(), db=database)

        self._environment.write(put)

    def close(self) -> None:
        """Closes the environment."""
        self._environment.close()
