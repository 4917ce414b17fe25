"""Learners that are killed, and stores that freeze: all make what an undisturbed one makes."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from random import Random

import pytest

from learning.learner import Learner
from snapshot.event_codes import VIEW
from state import RedisSettings, StateSettings, open_state
from state.published import MANIFEST
from testing.browsing_log import SECRET, START_S, browsing_log, event
from testing.redis_server import RedisServer
from testing.served_shop import ServedShop
from tests.learning.stream.learners import learner_of, read_all, settings_of, started
from tests.learning.stream.logs import append

pytestmark = pytest.mark.slow


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
