"""The learner over real stores: checkpoints, corrupt entries, a new log, and death at any moment."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import lmdb
import numpy as np
import pytest

from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from learning.folder_lock import LearnerBusy
from learning.learner import Learner
from learning.metrics import LearnerMetrics
from learning.stream.checkpoint import FILE
from protos.shopfront.v1.event_pb2 import (
    EVENT_TYPE_IMPRESSION,
    EVENT_TYPE_VIEW,
    Event,
    ReportEventsRequest,
)
from protos.shopfront.v1.recommend_pb2 import RecommendRequest, RecommendResponse
from server.settings import RouterSettings
from snapshot.catalogue import Catalogue
from snapshot.event_codes import VIEW
from state import RedisSettings, StateSettings, open_state
from state.published import MANIFEST, LiveFolder, read_live_manifest
from state.store import StateStore
from testing.browsing_log import CODEC, SECRET, START_S, browsing_log, event
from testing.redis_server import RedisServer
from testing.running_router import in_process
from testing.served_shop import ServedShop, make_shop
from tests.learning.stream.logs import append, facts_of

pytestmark = pytest.mark.slow

NO_TRITON = "127.0.0.1:1"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> ServedShop:
    return make_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def item_ids(shop: ServedShop) -> list[str]:
    catalogue: Catalogue = shop.dataset.catalogue
    return catalogue.item_ids(catalogue.key_items)


def settings_of(shop: ServedShop, folder: Path, **stream: Any) -> RouterSettings:
    return shop.settings(
        NO_TRITON,
        learning={
            "folder": str(folder),
            "stream": {"window_s": 120, "label_wait_s": 20, "poll_s": 0.01, **stream},
        },
    )


def learner_of(settings: RouterSettings, store: StateStore, metrics: ProcessMetrics | None = None) -> Learner:
    return Learner(
        settings.learning,
        store,
        "log",
        CODEC,
        facts_of(settings),
        LearnerMetrics(metrics or ProcessMetrics()),
    )


def read_all(learner: Learner) -> str:
    while learner.step():
        pass
    return learner.digest()


@pytest.fixture
def one_store(lmdb_settings: StateSettings) -> Iterator[StateStore]:
    """A store for what does not depend on its kind."""
    opened = open_state(lmdb_settings)
    yield opened
    opened.close()


@pytest.fixture
def learned(
    shop: ServedShop, item_ids: list[str], one_store: StateStore, tmp_path: Path
) -> Iterator[tuple[RouterSettings, str]]:
    """Settings, and the digest of 800 events of the store that were read at once."""
    append(one_store, browsing_log(item_ids, 800, seed=1))
    settings = settings_of(shop, tmp_path / "learning")
    whole = learner_of(settings_of(shop, tmp_path / "whole"), one_store)
    yield settings, read_all(whole)
    whole.close()


def test_a_learner_goes_on_where_its_checkpoint_is(
    shop: ServedShop, item_ids: list[str], store: StateStore, tmp_path: Path
) -> None:
    append(store, browsing_log(item_ids, 800, seed=1))
    settings = settings_of(shop, tmp_path / "learning")
    whole = learner_of(settings_of(shop, tmp_path / "whole"), store)
    digest = read_all(whole)
    whole.close()
    small = settings.model_copy(
        update={
            "learning": settings.learning.model_copy(
                update={"stream": settings.learning.stream.model_copy(update={"batch_events": 300})}
            )
        }
    )
    first = learner_of(small, store)
    first.step()
    first.checkpoint()
    first.step()
    first.close()
    # As a kill leaves them.
    torn = [
        settings.learning.folder / name
        for name in (".checkpoint.npz.7", ".live.json.7", ".model-9.weights.7")
    ]
    for path in torn:
        path.write_bytes(b"torn")
    # What was read since is read again.
    second = learner_of(small, store)
    assert second.state.seq == 300
    assert not any(path.exists() for path in torn)
    assert read_all(second) == digest
    replica = LiveFolder(settings.learning.folder)
    assert replica.look()
    assert replica.current.counters.tables.keys() == second.state.files.keys()
    with pytest.raises(LearnerBusy, match="learning"):
        learner_of(small, store)
    second.close()


def test_a_damaged_checkpoint_costs_time_and_nothing_else(
    learned: tuple[RouterSettings, str], one_store: StateStore
) -> None:
    settings, digest = learned
    first = learner_of(settings, one_store)
    read_all(first)
    first.checkpoint()
    first.close()
    path = settings.learning.folder / FILE
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    for damage in (bytes(content), bytes(content[: len(content) // 3]), b""):
        path.write_bytes(damage)
        again = learner_of(settings, one_store)
        assert again.state.seq == 0
        assert read_all(again) == digest
        again.close()


def test_a_checkpoint_of_other_settings_is_not_used(
    shop: ServedShop, learned: tuple[RouterSettings, str], one_store: StateStore
) -> None:
    settings, _ = learned
    first = learner_of(settings, one_store)
    read_all(first)
    first.checkpoint()
    first.close()
    other = learner_of(settings_of(shop, settings.learning.folder, label_wait_s=10), one_store)
    assert other.state.seq == 0
    other.close()


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


def test_metrics_say_what_was_read_and_what_was_not_learned_from(
    learned: tuple[RouterSettings, str], one_store: StateStore, item_ids: list[str]
) -> None:
    settings, _ = learned
    append(
        one_store,
        [event(VIEW, "unknown", START_S + 9_000), event(VIEW, item_ids[0], START_S, timestamp_ms=0)],
    )
    metrics = ProcessMetrics()
    learner = learner_of(settings, one_store, metrics)
    read_all(learner)

    def value(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(f"shopfront_learner_{name}", labels)

    assert value("events_total") == learner.state.events == learner.state.seq
    assert value("samples_total") == learner.state.learned > 500
    assert value("drops_total", reason="unknown_item") == 1
    assert value("drops_total", reason="no_time") == 1
    assert value("watermark_seconds") == START_S + 9_000
    assert value("lag_seconds") == 0
    learner.checkpoint()
    learner.close()
    # A learner that goes on does not count again what another process has counted.
    metrics = ProcessMetrics()
    again = learner_of(settings, one_store, metrics)
    again.step()
    assert not metrics.registry.get_sample_value("shopfront_learner_drops_total", {"reason": "no_time"})
    again.close()


def test_a_version_that_is_nonsense_is_held_and_the_last_good_one_stays(
    learned: tuple[RouterSettings, str], one_store: StateStore, caplog: pytest.LogCaptureFixture
) -> None:
    settings, _ = learned
    metrics = ProcessMetrics()
    learner = learner_of(settings, one_store, metrics)
    read_all(learner)
    assert learner.publish_model()
    replica = LiveFolder(settings.learning.folder)
    assert replica.look()
    good = replica.current.model
    assert good.samples == learner.state.learned
    learner.ranker._ftrl.z[5] = np.nan
    learner.ranker.samples += 1
    assert not learner.publish_model()
    assert "is held (not_finite)" in caplog.text
    held = metrics.registry.get_sample_value(
        "shopfront_learner_versions_held_total", {"reason": "not_finite"}
    )
    assert held == 1
    replica.look()
    assert replica.current.model is good
    learner.close()
    # The next learner has the version that was published.
    again = learner_of(settings, one_store)
    assert again.ranker.published.samples == good.samples
    again.close()


@contextmanager
def started(settings: RouterSettings, secret: bytes = b"") -> Iterator[subprocess.Popen[str]]:
    """A process that learns from tokens signed with `secret`; it is waited for."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.learning.stream.learner_process", settings.model_dump_json()],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, settings.attribution.secret_variable: secret.decode()},
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "learning\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.faults)])
def test_a_learner_killed_at_any_moment_makes_what_an_undisturbed_one_makes(
    shop: ServedShop, item_ids: list[str], tmp_path: Path, kills: int
) -> None:
    events = browsing_log(item_ids, 1_000 * kills, seed=kills)
    state = StateSettings(url=f"lmdb://{tmp_path / 'state'}")
    settings = settings_of(shop, tmp_path / "learning", checkpoint_s=0.01, batch_events=50, poll_s=0.001)
    settings = settings.model_copy(update={"state": state})
    random = Random(kills)
    store = open_state(state)

    for number in range(kills):
        with started(settings, SECRET) as process:
            append(store, events[number * 1_000 : (number + 1) * 1_000])
            time.sleep(random.random() * 0.3)
            process.kill()
    append(store, [*events[kills * 1_000 :], event(VIEW, item_ids[0], START_S + 9 * len(events))])
    undisturbed = learner_of(settings_of(shop, tmp_path / "undisturbed", batch_events=777), store)
    digest = read_all(undisturbed)
    with started(settings, SECRET) as process:
        manifest = settings.learning.folder / MANIFEST
        until = time.monotonic() + 60
        while time.monotonic() < until and f'"seq":{undisturbed.state.seq}' not in manifest.read_text():
            time.sleep(0.05)
        process.terminate()
        output, _ = process.communicate(timeout=60)
    assert output.split() == [str(undisturbed.state.seq), digest]
    undisturbed.close()
    store.close()


def test_two_learners_of_one_redis_make_the_same_although_it_freezes_and_one_dies(
    shop: ServedShop, item_ids: list[str], redis_server: RedisServer, tmp_path: Path
) -> None:
    events = browsing_log(item_ids, 1_500, seed=4)
    state = StateSettings(
        url=redis_server.url, redis=RedisSettings(read_timeout_s=0.5, write_timeout_s=0.5, write_tries=1)
    )
    writer = open_state(state)
    append(writer, events[:500])
    learners, threads, stores = [], [], []
    stops = [threading.Event(), threading.Event()]
    for number, stop in enumerate(stops):
        stores.append(open_state(state))
        learners.append(learner_of(settings_of(shop, tmp_path / f"learner-{number}"), stores[-1]))
        threads.append(threading.Thread(target=learners[-1].run, args=(stop,)))
        threads[-1].start()

    def caught_up(learner: Learner, count: int) -> bool:
        until = time.monotonic() + 30
        while learner.state.events != count and time.monotonic() < until:
            time.sleep(0.01)
        return learner.state.events == count

    assert caught_up(learners[0], 500)
    assert caught_up(learners[1], 500)
    redis_server.freeze()
    time.sleep(2)
    redis_server.thaw()
    append(writer, events[500:1_000])
    assert caught_up(learners[0], 1_000)
    stops[0].set()
    threads[0].join()
    append(writer, events[1_000:])
    assert caught_up(learners[1], len(events))
    stops[1].set()
    threads[1].join()
    # The one that was away reads what it has missed.
    assert read_all(learners[0]) == learners[1].digest()
    for opened in (*learners, *stores, writer):
        opened.close()


LIVE_SCENES = """
scenes:
  home:
    channels:
      hot: {share: 1.0, timeout_ms: 2000.0}
    ranking: {timeout_ms: 2000.0, scorers: {live: {prior: 1.0}}}
    deadline: {budget_ms: 4000.0}
"""


def test_reported_clicks_move_the_page_of_a_running_router(tmp_path: Path) -> None:
    shop = make_shop(tmp_path)
    shop.scenes.write_text(LIVE_SCENES)
    settings = settings_of(shop, tmp_path / "learning", poll_s=0.05)
    with in_process(settings) as router, started(settings) as process:

        def page(shopper: str) -> RecommendResponse:
            request = RecommendRequest(scene="home", user_id=shopper, page_size=10)
            return router.recommend.Recommend(request, timeout=10)

        before = page("nobody")
        assert not before.degraded
        wanted = before.items[-1].item_id
        for number in range(5):
            shown = page(f"shopper-{number}")
            events = [
                Event(
                    user_id=f"shopper-{number}",
                    item_id=each.item_id,
                    type=code,
                    attribution_token=shown.attribution_token,
                )
                for each in shown.items
                for code in (EVENT_TYPE_IMPRESSION, EVENT_TYPE_VIEW)
                if code == EVENT_TYPE_IMPRESSION or each.item_id == wanted
            ]
            stored = router.events.ReportEvents(ReportEventsRequest(events=events), timeout=10)
            assert stored.accepted == len(events) == 11
        until = time.monotonic() + 30
        while page("nobody").items[0].item_id != wanted and time.monotonic() < until:
            time.sleep(0.05)
        assert page("nobody").items[0].item_id == wanted
        # A learner that dies takes nothing from the page.
        process.kill()
        process.wait()
        after = page("nobody")
        assert after.items[0].item_id == wanted
        assert not after.degraded
