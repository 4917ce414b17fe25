"""Shards of the index of pictures against the index in one piece; shards that do not answer are named."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.stages import DependencyError
from recall.pictures.delta_part import DeltaPart
from recall.pictures.files import open_index_files, write_index_files
from recall.pictures.main_part import MainPart
from recall.pictures.picture_index import PictureIndex
from recall.pictures.searched import IndexChange
from recall.pictures.settings import SimilarLookSettings
from recall.pictures.shard import Shard, shard_folders, write_shards
from recall.pictures.sharded_index import Lost, ShardedIndex, ShardsInProcess
from recall.pictures.silent_shards import SilentShards
from snapshot.manifest import SnapshotError
from tests.recall.small_shop import make_catalogue

ITEMS, DIMENSIONS = 20, 4
CATEGORIES = [1 + item % 3 for item in range(ITEMS)]
SETTINGS = SimilarLookSettings(index="flat", delta_open=16, shards=3)


class LosableShards(ShardsInProcess):
    """Shards of which some do not answer, until they are opened again as they were built."""

    def __init__(self, folders: list[Path]) -> None:
        super().__init__(folders, DIMENSIONS, SETTINGS)
        self.folders = folders
        self.lost: set[int] = set()
        self.frozen: set[int] = set()
        self.renewed: list[int] = []
        self.now = 50.0
        self.waits = 0

    def clock(self) -> float:
        """A second that only waiting moves."""
        return self.now

    def ask(
        self, calls: Mapping[int, tuple[str, tuple[Any, ...]]], timeout_s: float
    ) -> dict[int, Any | Lost]:
        here = {key: call for key, call in calls.items() if key not in self.lost | self.frozen}
        answers = super().ask(here, timeout_s) | {key: Lost("gone") for key in calls if key in self.lost}
        if self.frozen & set(calls):
            self.waits += 1
            self.now += timeout_s
        return answers | {key: Lost("late", silent=True) for key in calls if key in self.frozen}

    def renew(self, number: int) -> None:
        self.renewed.append(number)
        self.lost.discard(number)
        self._shards[number] = Shard.open(self.folders[number], DIMENSIONS, SETTINGS)


class Both:
    """The same pictures in shards and in one piece."""

    def __init__(self, folder: Path, seed: int) -> None:
        random = np.random.default_rng(seed)
        self.random = random
        catalogue = make_catalogue(folder, CATEGORIES, [4, 11])
        items = np.sort(random.integers(2, ITEMS, 30)).astype(np.int32)
        vectors = self.vectors(30)
        contents = np.stack((np.arange(30), np.zeros(30)), axis=1).astype(np.uint64)
        for name in ("whole", "parts"):
            (folder / name).mkdir()
        write_index_files(folder / "whole", vectors, SETTINGS, 1)
        files = open_index_files(folder / "whole", 30, DIMENSIONS)
        stock = np.asarray(catalogue.in_stock)
        main = MainPart(files.index, files.vectors, items, contents, stock[items], SETTINGS)
        delta = DeltaPart(files.empty, DIMENSIONS, SETTINGS)
        self.whole = PictureIndex(main, delta, catalogue.category, 3, stock, SETTINGS)
        assert write_shards(folder / "parts", items, contents, vectors, 0, catalogue, SETTINGS, 1) == 3
        bounds, folders = shard_folders(folder / "parts", ITEMS)
        assert (bounds[0], bounds[-1], len(folders)) == (0, ITEMS, 3)
        self.shards = LosableShards(folders)
        self.parts = ShardedIndex(
            self.shards, bounds, 0, 0.04, SilentShards(0.1, 1.0, self.shards.clock), self.shards.clock
        )
        self.bounds, self.folder = bounds, folder / "parts"

    def vectors(self, count: int) -> np.ndarray:
        made = self.random.standard_normal((count, DIMENSIONS)).astype(np.float32)
        return made / np.linalg.norm(made, axis=1, keepdims=True)

    def apply(self, changes: list[IndexChange], revision: int) -> None:
        self.whole.apply(changes, revision)
        self.parts.apply(changes, revision)

    def check(self) -> None:
        (vector,) = self.vectors(1)
        eligible = self.random.random(ITEMS + 1) < 0.5
        for category, allowed, k in ((0, None, 5), (2, None, 9), (0, eligible, 20), (1, eligible, 3)):
            one, many = (
                index.search(vector, k, category=category, eligible=allowed, minimum=-0.5)
                for index in (self.whole, self.parts)
            )
            assert one.items.tolist() == many.items.tolist()
            np.testing.assert_allclose(one.likeness, many.likeness, atol=1e-6)
            assert many.missing == ""
        asked = self.random.permutation(ITEMS).astype(np.int32)[:9] + 1
        one_of, many_of = self.whole.vectors_of(asked), self.parts.vectors_of(asked)
        assert one_of.items.tolist() == many_of.items.tolist()
        np.testing.assert_array_equal(one_of.vectors, many_of.vectors)


CHANGES = st.lists(st.tuples(st.integers(1, ITEMS), st.integers(0, 40), st.booleans()), max_size=25)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=CHANGES, seed=st.integers(0, 100))
def test_shards_find_what_one_index_finds(
    steps: list[tuple[int, int, bool]], seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    both = Both(tmp_path_factory.mktemp("index"), seed)
    both.check()
    changes = [
        IndexChange(item, (content, 0), both.vectors(1)[0] if put else None) for item, content, put in steps
    ]
    both.apply(changes, 7)
    assert both.parts.revision == 7
    assert both.parts.pictures == both.whole.pictures
    both.check()


def test_a_lost_shard_is_named_and_the_others_answer(tmp_path: Path) -> None:
    both = Both(tmp_path, 3)
    both.shards.lost = {1}
    (vector,) = both.vectors(1)
    found = both.parts.search(vector, ITEMS)
    first, last = both.bounds[1:3].tolist()
    expected = [item for item in both.whole.search(vector, ITEMS).items.tolist() if not first < item <= last]
    assert found.items.tolist() == expected
    assert found.missing == "part 2 of 3: gone"
    pictured = both.parts.vectors_of(np.arange(1, ITEMS + 1, dtype=np.int32))
    assert not ((pictured.items > first) & (pictured.items <= last)).any()
    assert pictured.missing == "part 2 of 3: gone"
    both.shards.lost = {0, 1, 2}
    with pytest.raises(DependencyError, match="part 3 of 3: gone"):
        both.parts.search(vector, 3)


def test_a_frozen_shard_keeps_few_searches_waiting_and_is_found_again(tmp_path: Path) -> None:
    both = Both(tmp_path, 6)
    (vector,) = both.vectors(1)
    shards, search = both.shards, both.parts.search
    whole = both.whole.search(vector, ITEMS).items.tolist()
    first, last = both.bounds[1:3].tolist()
    without = [item for item in whole if not first < item <= last]
    shards.frozen = {1}
    for _ in range(20):
        found = search(vector, ITEMS)
        assert found.items.tolist() == without
    # The third wait of 40 ms makes 100 ms of silence.
    assert shards.waits == 3
    assert found.missing.startswith("part 2 of 3: not asked, since it gave no answer before; the next try")
    of_frozen = np.arange(first + 1, last + 1, dtype=np.int32)
    assert "not asked" in both.parts.vectors_of(of_frozen).missing
    shards.now += 1.0
    for _ in range(5):
        search(vector, ITEMS)
    assert shards.waits == 4
    shards.frozen = set()
    assert search(vector, ITEMS).items.tolist() == without
    shards.now += 1.0
    for _ in range(3):
        found = search(vector, ITEMS)
        assert (found.items.tolist(), found.missing) == (whole, "")


def test_a_shard_that_answers_in_between_or_is_gone_is_always_asked(tmp_path: Path) -> None:
    both = Both(tmp_path, 7)
    (vector,) = both.vectors(1)
    for _ in range(6):
        both.shards.frozen = {0}
        assert both.parts.search(vector, ITEMS).missing == "part 1 of 3: late"
        both.shards.frozen = set()
        assert both.parts.search(vector, ITEMS).missing == ""
    both.shards.lost = {0}
    for _ in range(6):
        assert both.parts.search(vector, ITEMS).missing == "part 1 of 3: gone"


def test_searches_that_are_late_side_by_side_are_one_silence() -> None:
    now = [10.0]
    silent = SilentShards(0.1, 1.0, lambda: now[0])
    began = [silent.begin([0])[0] for _ in range(50)]
    now[0] += 0.04
    for each in began:
        silent.end(each, [0], [])
    assert silent.begin([0])[1] == {}
    now[0] += 0.07
    silent.end(now[0] - 0.04, [0], [])
    assert list(silent.begin([0, 1])[1]) == [0]
    never = SilentShards(0.0, 1.0, lambda: now[0])
    for _ in range(9):
        now[0] += 1.0
        never.end(now[0] - 1.0, [0], [])
        assert never.begin([0])[1] == {}


def test_a_shard_that_was_opened_again_is_searched_once_it_knows_what_was_deleted(tmp_path: Path) -> None:
    both = Both(tmp_path, 4)
    deleted = int(both.whole.search(both.vectors(1)[0], 1).items[0])
    changes = [IndexChange(deleted, None, None)]
    both.apply(changes, 5)
    number = int(np.searchsorted(both.bounds, deleted) - 1)
    both.shards.lost = {number}
    assert both.parts.revision == 5
    assert both.shards.renewed == [number]
    (vector,) = both.vectors(1)
    behind = both.parts.search(vector, ITEMS)
    assert deleted not in behind.items
    assert "it has changes up to number 0, of 5" in behind.missing
    # What follows the store asks from where on changes are wanted, and gives them to all shards once more.
    assert both.parts.revision == 0
    both.parts.apply(changes, 5)
    assert both.parts.revision == 5
    both.check()


def given_and_searched(both: Both, item: int, content: int, revision: int) -> float:
    """Puts a picture as what follows the store does; the seconds until it is found."""
    began = both.shards.now
    assert both.parts.revision < revision
    (vector,) = both.vectors(1)
    both.apply([IndexChange(item, (content, 0), vector)], revision)
    took = both.shards.now - began
    assert both.parts.search(vector, 1).items.tolist() == [item]
    return took


def test_a_frozen_shard_keeps_what_arrives_at_the_others_waiting_once_in_a_while(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    both = Both(tmp_path, 8)
    shards, item = both.shards, 1
    shards.frozen = {1}
    # Searches have their own silence and their own wait.
    took = [given_and_searched(both, item, 100 + number, 1 + number) for number in range(3)]
    assert took == [pytest.approx(2.0), 0, 0]
    (said,) = caplog.messages
    assert said == "part 2 of 3 of the index of pictures: late; until it answers, nothing in it is found"
    shards.now += 5.0
    assert given_and_searched(both, item, 103, 4) == pytest.approx(2.0)
    assert given_and_searched(both, item, 104, 5) == 0
    shards.frozen = set()
    shards.now += 5.0
    assert both.parts.revision == 0, "it lacks all that arrived"
    both.parts.apply([], 5)
    assert both.parts.revision == 5
    assert caplog.messages[1:] == ["part 2 of 3 of the index of pictures answers again"]
    both.check()


def test_a_shard_that_freezes_while_it_takes_up_changes_is_waited_for_for_five_seconds(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    both = Both(tmp_path, 9)
    assert both.parts.revision == 0
    both.shards.frozen = {2}
    both.parts.apply([], 1)
    both.parts.apply([], 2)
    assert both.shards.now == pytest.approx(55.0)
    assert both.parts.revision == 2, "the others took them up"
    assert both.shards.now == pytest.approx(55.0)
    assert [said[:11] for said in caplog.messages] == ["part 3 of 3"]
    both.shards.frozen, both.shards.lost = set(), {0}
    assert both.parts.revision == 2
    assert both.shards.renewed == [0]
    assert (
        caplog.messages[1]
        == "part 1 of 3 of the index of pictures: gone; until it answers, nothing in it is found"
    )


def test_bounds_of_another_catalogue_are_refused(tmp_path: Path) -> None:
    folder = Both(tmp_path, 5).folder
    with pytest.raises(SnapshotError, match="does not divide 21 items"):
        shard_folders(folder, ITEMS + 1)
    assert shard_folders(tmp_path, ITEMS)[1] == []
