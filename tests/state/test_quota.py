"""What may happen only so often within some time, in all processes of a store together."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state import StateSettings, open_state
from state.lmdb_store import LmdbStateStore
from state.store import StateStore


def test_of_many_at_one_time_no_more_are_counted_than_may(store: StateStore) -> None:
    with ThreadPoolExecutor(8) as threads:
        taken = list(threads.map(lambda _: store.take("questions", 5, 60.0), range(40)))
    assert sum(taken) == 5
    assert store.take("other", 1, 60.0)
    assert not store.take("other", 1, 60.0)


def test_room_comes_back_with_time(store: StateStore) -> None:
    assert store.take("questions", 1, 0.05)
    time.sleep(0.06)
    assert store.take("questions", 1, 0.05)


def test_another_process_counts_what_this_one_took(settings: StateSettings) -> None:
    for expected in (True, True, False):
        store = open_state(settings)
        assert store.take("questions", 2, 60.0) is expected
        store.close()


@pytest.fixture(scope="module")
def timed(tmp_path_factory: pytest.TempPathFactory) -> tuple[LmdbStateStore, list[float], count[int]]:
    """A store, the time that it is there, and numbers for names."""
    folder: Path = tmp_path_factory.mktemp("quota")
    now = [0.0]
    settings = StateSettings(url=f"lmdb://{folder}", sync=False)
    return LmdbStateStore(folder, settings, clock=lambda: now[0]), now, count()


@given(moments=st.lists(st.integers(0, 600), max_size=40), limit=st.integers(1, 10))
def test_no_minute_has_more_than_allowed_and_none_is_refused_for_nothing(
    timed: tuple[LmdbStateStore, list[float], count[int]], moments: list[int], limit: int
) -> None:
    store, now, numbers = timed
    name, taken = f"n{next(numbers)}", list[int]()
    for moment in sorted(moments):
        now[0] = moment
        lately = sum(moment - 60 < other for other in taken)
        assert store.take(name, limit, 60.0) is (lately < limit)
        if lately < limit:
            taken.append(moment)
