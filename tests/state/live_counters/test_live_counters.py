"""The hash table of counters, their decay, their files, and following a learner's folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.live_counters.counter_file import CounterFileError, make_counters, open_counters
from state.live_counters.decay import HALF_LIVES_S, ONE, SIGNALS, as_read, decayed
from state.live_counters.keys import ALL_KEY, combined, text_key
from state.live_counters.kinds import LIVE_KINDS, Subjects
from state.live_counters.live_counters import LiveCounters
from state.live_counters.slots import claim, find
from state.published import LiveFolder, LiveManifest, write_manifest

KEYS = st.lists(st.integers(1, 2**64 - 1), unique=True, max_size=30)


def subjects(items: list[int]) -> Subjects:
    keys = np.array(items, np.uint64)
    return Subjects(keys, keys, keys, keys)


# Of few lowest bits, so that many keys want the same slot.
@given(first=KEYS, then=KEYS, low=st.integers(0, 3))
def test_a_table_finds_what_was_put_in_and_nothing_else(first: list[int], then: list[int], low: int) -> None:
    crowded = [key & ~0xFF | low or 1 for key in (*first, *then)]
    distinct = list(dict.fromkeys(crowded))
    table = np.zeros(128, np.uint64)
    half = len(distinct) // 2
    slots = claim(table, np.array(distinct[:half], np.uint64))
    assert table[slots].tolist() == distinct[:half]
    claim(table, np.array(distinct[half:], np.uint64))
    found = find(table, np.array([*distinct, 0, 2**40 + 17], np.uint64))
    assert table[found[:-2]].tolist() == distinct
    assert found[-2:].tolist() == [-1, -1]
    assert np.count_nonzero(table) == len(distinct)


def test_keys_of_pairs_depend_on_both_and_on_their_order() -> None:
    first, second = np.array([text_key("a")], np.uint64), np.array([text_key("b")], np.uint64)
    assert combined(first, second) != combined(second, first)
    drawn = np.random.default_rng(1).integers(1, 2**63, (2, 100_000), dtype=np.uint64)
    assert np.unique(combined(*drawn)).size == 100_000
    assert text_key("") == 0


@given(count=st.integers(0, 10**9), ticks=st.integers(0, 10**6))
def test_counts_halve_in_each_half_life(count: int, ticks: int) -> None:
    rows = np.full((1, len(HALF_LIVES_S), len(SIGNALS)), count * ONE, np.int64)
    exact = [count * 2.0 ** (-ticks * 60 / half_life) for half_life in HALF_LIVES_S.values()]
    later = decayed(rows, np.array([ticks]))[0, :, 0] / ONE
    # Rounded to 2⁻²⁰, and nothing is left after 40 half-lives.
    assert later == pytest.approx(exact, rel=1e-9, abs=2**-20 + count * 2.0**-40)
    read = as_read(rows, np.array([5]), (5 + ticks) * 60.0)[0, :, 0]
    assert read == pytest.approx(exact, rel=1e-5, abs=1e-6)


def test_a_replica_reads_what_a_learner_writes_and_takes_up_another_file(tmp_path: Path) -> None:
    follower = LiveFolder(tmp_path)
    assert not follower.look()
    assert follower.current.counters.counts("item", subjects([7]), 0.0).sum() == 0
    columns = make_counters(tmp_path / "item-1.counters", 1024)
    write_manifest(tmp_path, LiveManifest({"item": "item-1.counters"}))
    assert follower.look()
    before = follower.current.counters
    (slot,) = claim(columns.keys, np.array([7], np.uint64))
    columns.counts[slot] = ONE
    columns.ticks[slot] = 100
    # Without a look: the file is shared.
    assert before.counts("item", subjects([7, 8, 0]), 100 * 60.0)[:, 0, 0].tolist() == [1.0, 0.0, 0.0]
    assert before.counts("item", subjects([7]), 160 * 60.0)[0, :, 0].tolist() == pytest.approx(
        [0.5, 2 ** (-1 / 24), 2 ** (-1 / 168)], rel=1e-6
    )
    write_manifest(tmp_path, LiveManifest({"item": "item-1.counters"}, seq=5))
    assert not follower.look(), "the same files"
    make_counters(tmp_path / "item-2.counters", 2048)
    write_manifest(tmp_path, LiveManifest({"item": "item-2.counters"}))
    (tmp_path / "item-1.counters").unlink()
    assert follower.look()
    assert follower.current.counters.counts("item", subjects([7]), 6_000.0).sum() == 0
    assert before.counts("item", subjects([7]), 6_000.0).sum() == pytest.approx(12), "still mapped"


@pytest.mark.parametrize("content", [b"", b"SFLIVE1\n", b"SFLIVE0\n" + bytes(5_000), b"x" * 300_000])
def test_a_file_that_is_none_is_refused_and_what_served_stays(tmp_path: Path, content: bytes) -> None:
    make_counters(tmp_path / "good.counters", 1024)
    write_manifest(tmp_path, LiveManifest({"item": "good.counters"}))
    follower = LiveFolder(tmp_path)
    assert follower.look()
    serving = follower.current
    (tmp_path / "bad.counters").write_bytes(content)
    with pytest.raises(CounterFileError, match=r"bad\.counters"):
        open_counters(tmp_path / "bad.counters")
    write_manifest(tmp_path, LiveManifest({"item": "bad.counters"}))
    assert not follower.look()
    (tmp_path / "live.json").write_text("{")
    assert not follower.look()
    assert follower.current is serving


def test_a_name_that_leads_out_of_the_folder_is_not_opened(tmp_path: Path) -> None:
    make_counters(tmp_path / "secret", 1024)
    folder = tmp_path / "learning"
    folder.mkdir()
    write_manifest(folder, LiveManifest({"item": "../secret"}))
    follower = LiveFolder(folder)
    follower.look()
    assert follower.current.counters.tables == {}


def test_kinds_have_keys_of_their_own() -> None:
    of = Subjects(*(np.array([key], np.uint64) for key in range(3, 11)))
    keys = {name: int(kind.key(of)[0]) for name, kind in LIVE_KINDS.items()}
    assert len(set(keys.values())) == len(keys)
    assert keys["all"] == ALL_KEY
    without_scene = Subjects(of.items, of.categories, np.zeros(1, np.uint64), of.shoppers)
    assert LIVE_KINDS["item_scene"].key(without_scene)[0] == 0
    with pytest.raises(KeyError):
        LiveCounters().counts("nothing", of, 0.0)


@pytest.mark.parametrize("name", LIVE_KINDS)
def test_what_is_the_same_for_all_is_given_once(name: str) -> None:
    three = np.array([3, 4, 5], np.uint64)
    same = [np.array([key], np.uint64) for key in range(6, 13)]
    short = LIVE_KINDS[name].key(Subjects(three, *same))
    long = LIVE_KINDS[name].key(Subjects(three, *(np.repeat(each, 3) for each in same)))
    assert short.shape == (3,)
    assert short.tolist() == long.tolist()
