"""The same product comes once, as far as the page allows."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.candidates import unscored
from router.rerank.dedup import DedupSettings, create
from router.tables.component import Parts

TITLES = ["", "Red shoe", "red  SHOE ", "Blue shoe", "Hat", "Red shoe"]
BRANDS = np.array([0, 1, 1, 1, 1, 2], np.int32)
LOOKS = np.array([0, 0, 0, 7, 7, 0], np.int32)


def catalogue(looks: np.ndarray = np.zeros_like(LOOKS)) -> SimpleNamespace:
    return SimpleNamespace(
        titles=lambda items: [TITLES[item] for item in items.tolist()], brand=BRANDS, picture_group=looks
    )


def order(
    items: list[int],
    page_size: int = 3,
    looks: np.ndarray = np.zeros_like(LOOKS),
    settings: DedupSettings = DedupSettings(),
) -> list[int]:
    count = len(items)
    found = unscored(
        np.array(items, np.int32),
        np.ones(count, np.uint32),
        np.ones(count, np.float32),
        np.zeros(count, np.int32),
    )
    positions = create(Parts(catalogue(looks), {}), settings).order(None, found, page_size)
    return [items[position] for position in positions.tolist()]


def test_a_repeated_title_goes_behind_all_others() -> None:
    assert order([1, 2, 3, 4]) == [1, 3, 4, 2]
    assert order([2, 3, 1]) == [2, 3, 1]


def test_a_repeated_picture_goes_behind_all_others() -> None:
    assert order([3, 1, 4, 5], looks=LOOKS) == [3, 1, 5, 4]
    assert order([4, 3, 1, 2], looks=LOOKS) == [4, 1, 3, 2]
    assert order([3, 1, 4, 5], looks=LOOKS, settings=DedupSettings(pictures=False)) == [3, 1, 4, 5]


def test_the_same_title_of_another_brand_is_another_product() -> None:
    assert order([1, 5, 2]) == [1, 5, 2]
    assert order([1, 2, 5]) == [1, 5, 2]


def test_nothing_is_nothing() -> None:
    assert order([]) == []


@given(st.permutations([1, 2, 3, 4, 5]))
def test_no_candidate_is_lost(items: list[int]) -> None:
    assert sorted(order(items)) == sorted(items)


def test_items_without_a_title_are_like_no_other() -> None:
    blank = catalogue()
    blank.titles = lambda items: [""] * len(items)
    items = np.array([3, 1, 2], np.int32)
    found = unscored(items, np.ones(3, np.uint32), np.ones(3, np.float32), np.zeros(3, np.int32))
    assert create(Parts(blank, {}), DedupSettings()).order(None, found, 3).tolist() == [0, 1, 2]
