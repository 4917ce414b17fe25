"""Logs with entries that cannot be read, logs that began anew, and logs without a shopper."""

from __future__ import annotations

import threading
import time
from collections import Counter
from pathlib import Path

import lmdb
import pytest

from snapshot.event_codes import VIEW
from state import StateSettings, open_state
from state.published import read_live_manifest
from state.store import StateStore
from testing.browsing_log import START_S, browsing_log, event
from testing.served_shop import ServedShop
from tests.learning.stream.learners import learner_of, read_all, settings_of
from tests.learning.stream.logs import append

pytestmark = pytest.mark.slow


def test_a_corrupt_entry_is_counted_and_read_past(
    shop: ServedShop, item_ids: list[str], tmp_path: Path
) -> None:
    state = StateSettings(url=f"lmdb://{tmp_path / 'state'}")
    store = open_state(state)
    append(store, [event(VIEW, item_ids[0], START_S, f"u{number}") for number in range(10)])
    store.close()
    environment = lmdb.open(str(tmp_path / "state"), max_dbs=16)
    with environment.begin(write=True) as transaction:
        entries = environment.open_db(b"log", transaction)
        for seq in (4, 5):
            transaction.put(seq.to_bytes(8, "big"), b"\0" * 30, db=entries)
    environment.close()
    store = open_state(state)
    learner = learner_of(settings_of(shop, tmp_path / "learning"), store)
    read_all(learner)
    assert learner.state.seq == 10
    assert learner.state.drops["corrupt"] == 2
    assert learner.state.events == 8
    learner.close()
    store.close()


def test_a_log_that_began_anew_is_noticed(shop: ServedShop, item_ids: list[str], tmp_path: Path) -> None:
    events = [event(VIEW, item_ids[0], START_S, f"u{number}") for number in range(10)]
    settings = settings_of(shop, tmp_path / "learning", checkpoint_s=0.01)
    for name, count in (("first", 10), ("second", 4)):
        store = open_state(StateSettings(url=f"lmdb://{tmp_path / name}"))
        append(store, events[:count])
        learner = learner_of(settings, store)
        stop = threading.Event()
        thread = threading.Thread(target=learner.run, args=(stop,))
        thread.start()
        until = time.monotonic() + 20
        while learner.state.seq != count and time.monotonic() < until:
            time.sleep(0.01)
        stop.set()
        thread.join()
        assert learner.state.seq == count
        learner.close()
        store.close()


def test_a_deleted_shopper_is_forgotten(
    shop: ServedShop, item_ids: list[str], one_store: StateStore, tmp_path: Path
) -> None:
    store = one_store
    append(store, browsing_log(item_ids, 600, seed=2))
    settings = settings_of(shop, tmp_path / "learning")
    settings = settings.model_copy(
        update={"learning": settings.learning.model_copy(update={"follow_s": 0.01})}
    )
    learner = learner_of(settings, store)
    before = read_all(learner)
    learner.publish_model()
    learner.checkpoint()
    left = {path.name for path in settings.learning.folder.iterdir()}
    stop = threading.Event()
    thread = threading.Thread(target=learner.run, args=(stop,))
    thread.start()
    shoppers = Counter(entry.user_id for _, entry in store.read_log())
    (user, count), *_ = shoppers.most_common()
    left_of_log = shoppers.total() - count
    store.erase(user)
    store.end_erasure(user)
    until = time.monotonic() + 20
    while learner.state.events != left_of_log and time.monotonic() < until:
        time.sleep(0.01)
    stop.set()
    thread.join()
    learner.close()
    fresh = learner_of(settings_of(shop, tmp_path / "fresh"), store)
    assert read_all(fresh) == learner.digest() != before
    fresh.close()
    manifest = read_live_manifest(settings.learning.folder)
    assert manifest is not None
    assert manifest.erasures == store.erasures_revision() == 1
    kept = {path.name for path in settings.learning.folder.iterdir()}
    assert not {name for name in left & kept if name.endswith((".counters", ".weights"))}
