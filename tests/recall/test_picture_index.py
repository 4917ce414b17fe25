"""The index of pictures: main part, what arrived, without what was deleted, against comparing everything."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from recall.pictures.compact import CompactSettings, train_compact
from recall.pictures.delta_part import DeltaPart
from recall.pictures.files import open_index_files, write_index_files
from recall.pictures.main_part import MainPart
from recall.pictures.picture_index import PictureIndex
from recall.pictures.products import products
from recall.pictures.search_parameters import search_parameters
from recall.pictures.searched import IndexChange
from recall.pictures.settings import SimilarLookSettings
from snapshot.manifest import SnapshotError

ITEMS, DIMENSIONS = 40, 8
CODED = 0.12
"""How far a component may be off that 90 pictures have taught the range of, by codes of 8 bits."""
EXACT = SimilarLookSettings(index="flat", delta_open=16)
COMPACT = SimilarLookSettings(
    index="compact",
    delta_open=16,
    exact_below=0,
    ivf_probes=1_000,
    compact={"lists": 4, "refined": 50, "training": 10},  # type: ignore[arg-type]
)


def unit(random: np.random.Generator, count: int) -> NDArray[np.float32]:
    vectors = random.standard_normal((count, DIMENSIONS)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class Shop:
    """An index, and all that should be in it."""

    def __init__(self, folder: Path, choice: SimilarLookSettings, seed: int, pictures: int = 90) -> None:
        self.random = np.random.default_rng(seed)
        self.items = np.sort(self.random.integers(1, ITEMS + 1, pictures)).astype(np.int32)
        vectors = unit(self.random, pictures)
        contents = np.stack((np.arange(pictures), np.zeros(pictures)), axis=1).astype(np.uint64)
        self.categories = self.random.integers(0, 4, ITEMS + 1).astype(np.int32)
        self.in_stock = self.random.random(ITEMS + 1) < 0.8
        folder.mkdir(exist_ok=True)
        write_index_files(folder, vectors, choice, seed)
        files = open_index_files(folder, pictures, DIMENSIONS)
        main = MainPart(files.index, files.vectors, self.items, contents, self.in_stock[self.items], choice)
        self.index = PictureIndex(
            main, DeltaPart(files.empty, DIMENSIONS, choice), self.categories, 3, self.in_stock, choice
        )
        self.expected = {
            (int(item), (int(low), int(high))): vector
            for item, (low, high), vector in zip(self.items, contents, vectors, strict=True)
        }

    def put(self, item: int, content: int) -> None:
        (vector,) = unit(np.random.default_rng((item, content)), 1)
        self.index.apply([IndexChange(item, (content, 0), vector)])
        self.expected.setdefault((item, (content, 0)), vector)

    def delete(self, item: int, content: int | None) -> None:
        self.index.apply([IndexChange(item, None if content is None else (content, 0), None)])
        for key in [key for key in self.expected if key[0] == item and content in (None, key[1][0])]:
            del self.expected[key]

    def brute_force(self, vector: NDArray[np.float32], allowed: NDArray[np.bool_]) -> dict[int, float]:
        best: dict[int, float] = {}
        for (item, _), own in self.expected.items():
            if self.in_stock[item] and allowed[item]:
                best[item] = max(best.get(item, -2.0), float(own @ vector))
        return best

    def check(self, tolerance: float) -> None:
        (vector,) = unit(self.random, 1)
        everything = np.ones(ITEMS + 1, np.bool_)
        eligible = self.random.random(ITEMS + 1) < 0.4
        for category, allowed in ((0, None), (2, None), (0, eligible), (1, eligible)):
            mask = everything if allowed is None else allowed
            mask = mask & (self.categories == category) if category else mask
            best = self.brute_force(vector, mask)
            items, likeness, _ = self.index.search(vector, ITEMS, category=category, eligible=allowed)
            assert set(items.tolist()) == set(best)
            assert (np.diff(likeness) <= 0).all()
            np.testing.assert_allclose(likeness, [best[item] for item in items.tolist()], atol=tolerance)
        having = {item for item, _ in self.expected}
        known, vectors, _ = self.index.vectors_of(np.arange(1, ITEMS + 1, dtype=np.int32))
        assert set(known.tolist()) == having
        for item, own in zip(known.tolist(), vectors, strict=True):
            of_item = np.stack([each for (other, _), each in self.expected.items() if other == item])
            assert np.abs(of_item - own).max(axis=1).min() <= tolerance


STEPS = st.lists(
    st.tuples(st.integers(1, ITEMS), st.one_of(st.none(), st.integers(0, 120)), st.booleans()), max_size=60
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, seed=st.integers(0, 1_000), compact=st.booleans())
def test_a_search_finds_what_comparing_everything_finds(
    steps: list[tuple[int, int | None, bool]], seed: int, compact: bool, tmp_path: Path
) -> None:
    shop = Shop(tmp_path / "index", COMPACT if compact else EXACT, seed)
    for item, content, is_put in steps:
        if is_put and content is not None:
            shop.put(item, content)
        else:
            shop.delete(item, content)
    shop.check(CODED if compact else 1e-5)


@pytest.mark.parametrize("choice", [EXACT, SimilarLookSettings(index="ivf", delta_open=16), COMPACT])
def test_many_that_arrive_are_found_at_once_and_never_after_their_deletion(
    choice: SimilarLookSettings, tmp_path: Path
) -> None:
    shop = Shop(tmp_path / "index", choice, 3)
    shop.in_stock[:] = True
    for number in range(70):
        item = number % ITEMS + 1
        (vector,) = unit(np.random.default_rng((item, 500 + number)), 1)
        shop.put(item, 500 + number)
        items, likeness, _ = shop.index.search(vector, 1)
        assert items.tolist() == [item]
        assert likeness[0] > 0.98
        shop.index.apply([IndexChange(item, (500 + number, 0), vector)])
    assert shop.index.pictures == (90, 70)
    for item in range(1, ITEMS + 1, 2):
        shop.delete(item, None)
    left = set(shop.index.search(vector, ITEMS)[0].tolist())
    assert not left & set(range(1, ITEMS + 1, 2))
    shop.put(1, 500)
    assert 1 in shop.index.search(vector, ITEMS)[0].tolist()


def test_searches_run_beside_changes(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "index", COMPACT, 4)
    kept = {item for item, _ in shop.expected if shop.in_stock[item] and item > ITEMS // 2}
    ended, failures = threading.Event(), list[str]()

    def search() -> None:
        random = np.random.default_rng(1)
        while not ended.is_set():
            found = set(shop.index.search(unit(random, 1)[0], ITEMS)[0].tolist())
            if not kept <= found:
                failures.append(f"missing {kept - found}")

    searching = threading.Thread(target=search)
    searching.start()
    for number in range(400):
        item = number % (ITEMS // 2) + 1
        shop.put(item, 1_000 + number) if number % 3 else shop.delete(item, None)
    ended.set()
    searching.join()
    assert failures == []
    shop.check(CODED)


def test_an_index_of_other_dimensions_is_refused(tmp_path: Path) -> None:
    Shop(tmp_path / "index", COMPACT, 5)
    with pytest.raises(SnapshotError, match="in a space of 9"):
        open_index_files(tmp_path / "index", 90, 9)
    with pytest.raises(SnapshotError, match="holds 90 × 8"):
        open_index_files(tmp_path / "index", 91, DIMENSIONS)
    assert not (tmp_path / "index" / "vectors.npy").exists()
    (tmp_path / "index" / "empty.faiss").unlink()
    with pytest.raises(SnapshotError, match=r"empty\.faiss"):
        open_index_files(tmp_path / "index", 90, DIMENSIONS)


@pytest.mark.parametrize(("scanned", "bits", "least"), [("pq", 8, 0.93), ("rabitq", 8, 0.93), ("pq", 4, 0.7)])
def test_codes_of_vectors_with_few_strong_dimensions_find_nearly_all(
    scanned: str, bits: int, least: float
) -> None:
    random = np.random.default_rng(5)
    strength = np.arange(1, 65) ** -0.6
    vectors = (random.standard_normal((4_000, 64)) * strength).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    choice = CompactSettings.model_validate({"scanned": scanned, "refined_bits": bits, "lists": 8})
    index = train_compact(vectors, len(vectors), choice, 1)
    index.add(vectors)
    asked = vectors[::80]
    parameters = search_parameters(index, 10, probes=8, width=64, refined=20.0)
    found = index.search(asked, 10, params=parameters)[1]
    exact = np.argsort(-asked @ vectors.T, axis=1)[:, :10]
    assert (found[:, :, None] == exact[:, None, :]).any(axis=1).mean() >= least


def test_a_graph_of_lists_finds_as_many_as_a_filter_has_visited(monkeypatch: pytest.MonkeyPatch) -> None:
    """320 of 2,000 lists: by the width that a graph has by itself, it finds 73 % of them."""
    random = np.random.default_rng(0)
    vectors = unit(random, 20_000)
    among = np.sort(random.permutation(len(vectors))[: len(vectors) // 16]).astype(np.int64)
    found = []
    for many in (64, 10**6):
        monkeypatch.setattr("recall.pictures.compact._MANY_LISTS", many)
        chosen = CompactSettings(lists=2_000, training=10)
        index = train_compact(vectors, len(vectors), chosen, 1)
        index.add(vectors)
        count = len(vectors)
        main = MainPart(
            index,
            None,
            np.arange(1, count + 1, dtype=np.int32),
            np.zeros((count, 2), np.uint64),
            np.ones(count, np.bool_),
            SimilarLookSettings(index="compact", compact=chosen, exact_below=10),
        )
        found.append(main.search(vectors[:100], 10, among, probes=20)[1])
    same = [len(np.intersect1d(*rows)) for rows in zip(*found, strict=True)]
    assert np.mean(same) > 9.8


def test_the_pictures_of_one_item_leave_room_for_other_items(tmp_path: Path) -> None:
    """Four pictures of one item are nearest, in the main part and among those that arrived."""
    near, others = np.eye(DIMENSIONS, dtype=np.float32)[0], np.eye(DIMENSIONS, dtype=np.float32)[1:]
    vectors = np.concatenate((np.tile(near, (4, 1)), others))
    items = np.array([1, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8], np.int32)
    write_index_files(tmp_path, vectors, EXACT, 1)
    files = open_index_files(tmp_path, len(items), DIMENSIONS)
    contents = np.stack((np.arange(len(items)), np.zeros(len(items))), axis=1).astype(np.uint64)
    sold = np.ones(ITEMS + 1, np.bool_)
    main = MainPart(files.index, files.vectors, items, contents, sold[items], EXACT)
    delta = DeltaPart(files.empty, DIMENSIONS, EXACT)
    index = PictureIndex(main, delta, np.zeros(ITEMS + 1, np.int32), 1, sold, EXACT)
    asked = (near + 0.5 * others[2]) / np.linalg.norm(near + 0.5 * others[2])
    assert index.search(asked, 2).items.tolist() == [1, 4]
    index.apply([IndexChange(20, (100 + number, 0), near) for number in range(4)])
    index.apply([IndexChange(21, (200, 0), others[2])])
    index.apply([IndexChange(item, None, None) for item in range(1, 9)])
    assert index.search(asked, 2).items.tolist() == [20, 21]


def test_taking_many_up_copies_each_a_bounded_number_of_times(monkeypatch: pytest.MonkeyPatch) -> None:
    copied = []

    def counted(index: Any) -> Any:
        copied.append(index.ntotal)
        return clone_index(index)

    clone_index = faiss.clone_index
    monkeypatch.setattr("recall.pictures.delta_part.faiss.clone_index", counted)
    delta = DeltaPart(lambda: faiss.IndexFlatIP(DIMENSIONS), DIMENSIONS, EXACT)
    arriving = unit(np.random.default_rng(1), 8_000)
    for row, vector in enumerate(arriving):
        delta.append(row + 1, vector, True)
    # Each time that 16 have come they would be 250.
    assert sum(copied) <= 64 * len(arriving)
    items, likeness = delta.search(arriving[0], 3)
    assert items[np.argmax(likeness)] == 1


def test_what_arrived_is_found_where_it_may_be_and_by_its_own_product() -> None:
    delta = DeltaPart(lambda: faiss.IndexFlatIP(DIMENSIONS), DIMENSIONS, EXACT)
    arriving = unit(np.random.default_rng(2), 40)
    for row, vector in enumerate(arriving):
        delta.append(row + 1, vector, row % 3 > 0)
    allowed = np.arange(1, 41) % 2 == 0
    items, likeness = delta.search(arriving[7], 40, lambda items: items % 2 == 0)
    expected = np.flatnonzero(allowed & (np.arange(40) % 3 > 0))
    assert sorted(items.tolist()) == (expected + 1).tolist()
    np.testing.assert_allclose(likeness, arriving[items - 1] @ arriving[7], atol=1e-6)


def test_searches_without_a_filter_share_what_faiss_needs_and_see_what_died(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "index", COMPACT, 6)
    (vector,) = unit(np.random.default_rng(9), 1)
    for _ in range(12):
        found = shop.index.search(vector, ITEMS).items.tolist()
        assert set(found) == set(shop.brute_force(vector, np.ones(ITEMS + 1, np.bool_)))
        shop.delete(found[0], None)


@pytest.mark.parametrize("exact_below", [0, 30])
@pytest.mark.parametrize(
    "items", [np.arange(4, 34), np.delete(np.arange(4, 35), 9)], ids=["in a row", "one missing"]
)
def test_a_filter_of_items_is_one_of_their_rows(
    items: NDArray[np.int32], exact_below: int, tmp_path: Path
) -> None:
    """Of items with one picture each, all from the first to the last or not."""
    choice = COMPACT.model_copy(update={"exact_below": exact_below})
    random = np.random.default_rng(8)
    vectors = unit(random, len(items))
    write_index_files(tmp_path, vectors, choice, 1)
    files = open_index_files(tmp_path, len(items), DIMENSIONS)
    contents = np.stack((np.arange(len(items)), np.zeros(len(items))), axis=1).astype(np.uint64)
    sold = random.random(ITEMS + 1) < 0.8
    held = items.astype(np.int32)
    main = MainPart(files.index, files.vectors, held, contents, sold[held], choice)
    delta = DeltaPart(files.empty, DIMENSIONS, choice)
    index = PictureIndex(main, delta, np.zeros(ITEMS + 1, np.int32), 1, sold, choice)
    for _ in range(5):
        eligible = random.random(ITEMS + 1) < 0.5
        found = index.search(vectors[3], ITEMS, eligible=eligible)
        assert set(found.items.tolist()) == set(held[eligible[held] & sold[held]].tolist())
        own = vectors[np.searchsorted(held, found.items)]
        np.testing.assert_allclose(found.likeness, own @ vectors[3], atol=CODED)
    index.apply([IndexChange(int(held[5]), None, None)])
    everything = np.ones(ITEMS + 1, np.bool_)
    assert set(index.search(vectors[3], ITEMS, eligible=everything).items.tolist()) == set(
        held[sold[held]].tolist()
    ) - {int(held[5])}


def test_products_are_those_of_numpy() -> None:
    random = np.random.default_rng(3)
    query, rows = unit(random, 1)[0], unit(random, 50)
    np.testing.assert_allclose(products(query, rows), rows @ query, atol=1e-6)
    np.testing.assert_allclose(products(query[::-1], rows), rows @ query[::-1], atol=1e-6)
    assert products(query, rows[:0]).shape == (0,)
