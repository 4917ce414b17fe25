"""Pictures that are put and deleted: the latest change of each, in both kinds of store, through kills."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from state import RedisSettings, StateSettings, open_state
from state.picture_changes import ALL_CONTENTS, PictureChange, PictureChanges
from state.store import StateStore
from testing.redis_server import RedisServer

MAKER, OTHER = b"encoder1", b"encoder2"


def put(item: int, content: int, maker: bytes = MAKER) -> PictureChange:
    return PictureChange(item, bytes([content] * 16), maker + bytes([item, content]))


def gone(item: int, content: int = 0) -> PictureChange:
    return PictureChange(item, bytes([content] * 16), None)


def present(pictures: PictureChanges, after: int = 0) -> dict[tuple[int, int], bytes]:
    """What a reader has that takes up the changes in their order."""
    found: dict[tuple[int, int], bytes] = {}
    for change in pictures.since(after):
        if change.record is not None:
            found[change.item, change.content[0]] = change.record
        else:
            content = change.content[0]
            for key in [k for k in found if k[0] == change.item and content in (0, k[1])]:
                del found[key]
    return found


def test_a_picture_is_stored_once_and_the_latest_change_counts(store: StateStore) -> None:
    pictures = store.pictures
    assert pictures.revision() == 0
    assert list(pictures.since(0)) == []
    assert pictures.change([put(1, 1), put(1, 1), put(1, 2), put(2, 1)], 5) == [
        "stored",
        "unchanged",
        "stored",
        "stored",
    ]
    assert pictures.revision() == 3
    assert pictures.change([gone(1, 1), gone(1, 1), put(1, 1)], 5) == ["deleted", "unchanged", "stored"]
    assert [(each.item, each.content[0], each.revision) for each in pictures.since(0)] == [
        (1, 2, 2),
        (2, 1, 3),
        (1, 1, 5),
    ]
    assert [each.revision for each in pictures.since(3)] == [5]
    assert pictures.change([gone(1), gone(1), gone(1, 2), gone(3, 9)], 5) == [
        "deleted",
        "unchanged",
        "unchanged",
        "deleted",
    ]
    assert present(pictures) == {(2, 1): MAKER + bytes([2, 1])}
    assert ALL_CONTENTS in [each.content for each in pictures.since(5)]


def test_an_item_has_only_so_many_and_another_encoder_replaces(store: StateStore) -> None:
    pictures = store.pictures
    assert pictures.change([put(1, n) for n in (1, 2, 3)], 2) == ["stored", "stored", "too_many"]
    assert pictures.change([put(1, 2, OTHER)], 2) == ["stored"]
    assert present(pictures)[1, 2] == OTHER + bytes([1, 2])
    assert pictures.change([gone(1, 1), put(1, 3)], 2) == ["deleted", "stored"]


CHANGES = st.lists(
    st.one_of(
        st.builds(put, st.integers(1, 3), st.integers(1, 3), st.sampled_from([MAKER, OTHER])),
        st.builds(gone, st.integers(1, 3), st.integers(0, 3)),
    ),
    max_size=25,
)
EXAMPLES = examples(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
_prefix = iter(range(10**6))


def check_any_order(settings: StateSettings, changes: list[PictureChange], cut: int) -> None:
    store = open_state(settings)
    try:
        pictures, expected, at_cut, read_at = store.pictures, {}, {}, 0
        for number, change in enumerate(changes):
            if number == cut:
                at_cut, read_at = present(pictures), pictures.revision()
            (outcome,) = pictures.change([change], 2)
            key = change.item, change.content[0]
            if change.record is None:
                expected = {
                    k: v for k, v in expected.items() if k[0] != change.item or key[1] not in (0, k[1])
                }
            elif key in expected or sum(k[0] == change.item for k in expected) < 2:
                unchanged = key in expected and expected[key] == change.record
                assert outcome == ("unchanged" if unchanged else "stored")
                expected[key] = change.record
            else:
                assert outcome == "too_many"
            assert present(pictures) == expected
        # Who has read up to a revision needs only the changes after it.
        for change in pictures.since(read_at):
            key = change.item, change.content[0]
            if change.record is not None:
                at_cut[key] = change.record
            else:
                at_cut = {k: v for k, v in at_cut.items() if k[0] != change.item or key[1] not in (0, k[1])}
        assert at_cut == expected
    finally:
        store.close()


@EXAMPLES
@given(changes=CHANGES, cut=st.integers(0, 25))
def test_any_order_of_changes_is_read_as_it_was_made(
    changes: list[PictureChange], cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("any")
    check_any_order(StateSettings(url=f"lmdb://{folder}", sync=False), changes, cut)


@pytest.mark.slow
@EXAMPLES
@given(changes=CHANGES, cut=st.integers(0, 25))
def test_any_order_of_changes_is_read_from_redis_too(
    changes: list[PictureChange], cut: int, shared_redis: RedisServer
) -> None:
    prefix = RedisSettings(prefix=f"pictures-{next(_prefix)}", read_timeout_s=10, write_timeout_s=10)
    check_any_order(StateSettings(url=shared_redis.url, redis=prefix), changes, cut)


WRITER = """
import sys
from state import StateSettings, open_state
from state.picture_changes import PictureChange
store = open_state(StateSettings(url=sys.argv[1]))
for number in range(int(sys.argv[2]), 100_000):
    content = number.to_bytes(16, "big")
    store.pictures.change([PictureChange(number % 50 + 1, content, b"encoder1" + content * 160)], 10_000)
    print(number, flush=True)
"""


@pytest.mark.slow
def test_what_was_acknowledged_outlives_kills_and_none_is_doubled(tmp_path: Path) -> None:
    url, acknowledged, random_ = f"lmdb://{tmp_path / 'state'}", 0, random.Random(5)
    for _ in range(3):
        command = [sys.executable, "-c", WRITER, url, str(acknowledged + 1)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            wanted = acknowledged + random_.randint(5, 60)
            killed = False
            for line in writer.stdout:
                acknowledged = int(line)
                if acknowledged >= wanted and not killed:
                    os.kill(writer.pid, signal.SIGKILL)
                    killed = True
        store = open_state(StateSettings(url=url))
        found = [int.from_bytes(each.content, "big") for each in store.pictures.since(0)]
        store.close()
        assert sorted(found) == found == list(range(1, len(found) + 1))
        # At most one is there that was not acknowledged yet.
        assert acknowledged <= len(found) <= acknowledged + 1
        acknowledged = len(found)
