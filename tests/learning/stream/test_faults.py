"""Learners that are killed, and stores that freeze: all make what an undisturbed one makes."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from random import Random

import pytest

from server.settings import RouterSettings
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


@pytest.mark.parametrize("frozen_s", [1, pytest.param(30, marks=pytest.mark.faults)])
def test_two_learners_of_one_redis_make_the_same_although_it_freezes_and_one_is_killed(
    shop: ServedShop, item_ids: list[str], redis_server: RedisServer, tmp_path: Path, frozen_s: int
) -> None:
    events = browsing_log(item_ids, 1_500, seed=4)
    events.append(event(VIEW, item_ids[0], START_S + 9 * len(events)))
    state = StateSettings(
        url=redis_server.url, redis=RedisSettings(read_timeout_s=0.5, write_timeout_s=0.5, write_tries=1)
    )

    def settings_for(name: str) -> RouterSettings:
        made = settings_of(shop, tmp_path / name, checkpoint_s=0.05, batch_events=100)
        return made.model_copy(update={"state": state})

    def caught_up(settings: RouterSettings, count: int) -> bool:
        manifest = settings.learning.folder / MANIFEST
        until = time.monotonic() + 60
        while time.monotonic() < until and f'"seq":{count},' not in manifest.read_text():
            time.sleep(0.05)
        return f'"seq":{count},' in manifest.read_text()

    def ended(process: subprocess.Popen[str]) -> list[str]:
        process.terminate()
        output, _ = process.communicate(timeout=60)
        return output.split()

    writer = open_state(state)
    append(writer, events[:700])
    one, other = settings_for("one"), settings_for("other")
    with started(one, SECRET) as killed, started(other, SECRET) as survivor:
        assert caught_up(one, 700)
        assert caught_up(other, 700)
        redis_server.freeze()
        killed.kill()
        time.sleep(frozen_s)
        redis_server.thaw()
        append(writer, events[700:])
        assert caught_up(other, len(events))
        # The one that died goes on from its checkpoint.
        with started(one, SECRET) as again:
            assert caught_up(one, len(events))
            found = [ended(again), ended(survivor)]
    undisturbed = learner_of(settings_for("undisturbed"), writer)
    assert found == [[str(len(events)), read_all(undisturbed)]] * 2
    undisturbed.close()
    writer.close()
