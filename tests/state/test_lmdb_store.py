import lmdb
import pytest

from foundation.storage.errors import StorageError
from state import StateSettings, open_state
from tests.state.batches import batch

VIEW = 2


async def test_forgotten_event_ids_are_removed(lmdb_settings: StateSettings) -> None:
    now = 1_700_000_000.0
    settings = lmdb_settings.model_copy(update={"deduplication_days": 2})
    store = open_state(settings, lambda: now)
    event = batch(("u", "a", VIEW, 1), event_ids=["1"])
    await store.append(event)
    now += 5 * 86_400
    await store.append(event)
    store.close()
    folder = settings.url.removeprefix("lmdb://")
    with lmdb.open(folder, max_dbs=1) as environment, environment.begin() as transaction:
        seen = environment.open_db(b"seen", transaction, create=False)
        assert transaction.stat(seen)["entries"] == 1


def test_an_environment_opened_twice_in_one_process_is_refused(lmdb_settings: StateSettings) -> None:
    store = open_state(lmdb_settings)
    with pytest.raises(StorageError, match="has not opened it already"):
        open_state(lmdb_settings)
    store.close()
