"""Errors of storage in LMDB and Redis.

StorageError               the storage cannot be used, or contains what it should not
└── StorageUnavailable     it could not be reached, or did not answer in time
"""

from __future__ import annotations


class StorageError(Exception):
    """The storage cannot be used: a full or unreadable environment, a bad URL, a key of another kind."""


class StorageUnavailable(StorageError):
    """The storage could not be reached or did not answer in time; every other caller fails too."""
