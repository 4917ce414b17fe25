"""Bits by which pairs are taken for copies: those of best F1, of one code and of either of two."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from benchmarks.changed_copies import others_of_a_kind
from benchmarks.near_identical import best, differing, f1, near


@pytest.mark.parametrize("codes", [1, 2])
def test_the_best_bits_are_those_that_a_search_of_all_finds(codes: int) -> None:
    random = np.random.default_rng(codes)
    copies, others = random.integers(0, 9, (60, codes)), random.integers(4, 14, (50, codes))
    found = best(copies, others)
    tried = {most: f1(copies, others, most)[0] for most in itertools.product(range(16), repeat=codes)}
    assert f1(copies, others, found)[0] == pytest.approx(max(tried.values()))
    assert found == min(most for most, value in tried.items() if value >= max(tried.values()) - 1e-12)


def test_either_code_takes_a_pair() -> None:
    bits = np.array([[3, 90], [90, 5], [4, 6], [3, 5]])
    assert near(bits, (3, 5)).tolist() == [True, True, False, True]
    assert f1(bits, bits[2:3], (3, 5)) == pytest.approx((6 / 7, 1, 3 / 4))


def test_copies_differ_from_their_own_pictures_and_from_others_of_the_kind() -> None:
    prints = np.array([[0], [1], [255], [3]], np.uint8)
    kind = np.array([0, 0, 0, 1])
    others = others_of_a_kind(kind, np.random.default_rng(0))
    assert others[3] == -1
    assert sorted(others[:3].tolist()) == [0, 1, 2]
    same, other = differing(prints, prints ^ 1, np.array([1, 0, 1, -1]))
    assert same.tolist() == [[1]] * 4
    assert other.tolist() == [[0], [0], [8]]
