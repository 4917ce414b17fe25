"""The trees of errors: what catching a base covers, and the names that messages of storage contain."""

from __future__ import annotations

from pathlib import Path

import pytest

from foundation.storage.errors import StorageError, StorageUnavailable
from foundation.storage.lmdb_environment import LmdbEnvironment
from foundation.storage.names import StorageNames
from foundation.storage.redis_url import client_url
from rollout.storage_names import ROLLOUT_NAMES
from state.errors import AttributionError, StateError, StateOverloaded, StateStoreError
from state.storage_names import STATE_NAMES

ALL_NAMES = [STATE_NAMES, ROLLOUT_NAMES]


def test_catching_a_storage_error_covers_every_failure_of_a_store_but_a_full_queue() -> None:
    assert issubclass(StateStoreError, StorageError)
    assert issubclass(StorageUnavailable, StorageError)
    for kind in (StateOverloaded, AttributionError):
        assert issubclass(kind, StateError)
        assert not issubclass(kind, StorageError)


@pytest.mark.parametrize("names", ALL_NAMES)
def test_a_bad_url_is_reported_under_the_key_that_contains_it(names: StorageNames) -> None:
    with pytest.raises(StorageError, match=f"^{names.url} 'redis://'"):
        client_url("redis://", names)


@pytest.mark.parametrize("names", ALL_NAMES)
def test_a_full_environment_is_reported_with_what_to_do(tmp_path: Path, names: StorageNames) -> None:
    environment = LmdbEnvironment(
        tmp_path,
        (b"d",),
        names,
        map_initial_bytes=1 << 17,
        map_max_bytes=1 << 17,
        max_readers=8,
        sync=False,
    )
    database = environment.databases[b"d"]
    with pytest.raises(StorageError, match=f"of {names.contents} is full .*; {names.when_full}"):
        environment.write(lambda transaction: transaction.put(b"k", bytes(1 << 20), db=database))
    environment.close()
