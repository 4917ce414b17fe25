"""Fingerprints and groups of nearly identical pictures, against plain definitions."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vision.fingerprint import BITS, fingerprints, groups_of, hamming, near_pairs
from vision.fit_space import fit_space


def unit(values: np.ndarray) -> np.ndarray:
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


def test_bits_differ_by_the_angle() -> None:
    random = np.random.default_rng(0)
    vectors = unit(random.standard_normal((4000, 64)))
    others = unit(vectors + 0.3 * random.standard_normal((4000, 64)))
    angles = np.arccos(np.clip((vectors * others).sum(1), -1, 1))
    differing = hamming(fingerprints(vectors), fingerprints(others))
    assert abs(differing.mean() - (BITS * angles / np.pi).mean()) < 3
    assert hamming(fingerprints(vectors), fingerprints(3 * vectors + 5)).mean() < 1


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 60), st.integers(0, 40))
def test_near_pairs_are_all_and_only_those_within_the_bits(seed: int, count: int, bits: int) -> None:
    random = np.random.default_rng(seed)
    few = random.integers(0, 256, (4, BITS // 8), dtype=np.uint8)
    prints = few[random.integers(0, 4, count)] if count else few[:0]
    prints = prints ^ (1 << random.integers(0, 8, prints.shape)).astype(np.uint8) * (
        random.random(prints.shape) < 0.3
    )
    found = {
        (int(a), int(b))
        for rows, others in near_pairs(prints, bits)
        for a, b in zip(rows, others, strict=True)
    }
    every = {
        (a, b) for a in range(count) for b in range(count) if a != b and hamming(prints[a], prints[b]) <= bits
    }
    assert found == every
    groups = groups_of([(prints, bits)])
    for group in range(1, int(groups.max(initial=0)) + 1):
        members = np.flatnonzero(groups == group)
        assert len(members) > 1
        assert (hamming(prints[members[:1]], prints[members]) <= bits).all()
    leaders = [int(np.flatnonzero(groups == group)[0]) for group in range(1, int(groups.max(initial=0)) + 1)]
    assert leaders == sorted(leaders)
    alone = [*np.flatnonzero(groups == 0).tolist(), *leaders]
    assert not every & {(a, b) for a in alone for b in alone}


def test_a_chain_of_small_differences_is_no_group() -> None:
    prints = np.zeros((6, BITS // 8), np.uint8)
    for row in range(6):
        prints[row, :row] = 255
    assert groups_of([(prints, 8)]).tolist() == [1, 1, 2, 2, 3, 3]


def test_either_form_makes_rows_near() -> None:
    first, second = (
        np.full((4, BITS // 8), fill, np.uint8) * np.arange(1, 5)[:, None].astype(np.uint8)
        for fill in (1, 37)
    )
    first[2], second[3] = first[0], second[1]
    assert groups_of([(first, 0), (second, 0)]).tolist() == [1, 2, 1, 2]
    assert groups_of([(first, 0)]).tolist() == [1, 0, 1, 0]


def test_near_rows_are_one_group_where_somebody_says_so() -> None:
    prints = np.zeros((7, BITS // 8), np.uint8)
    for row, differing in enumerate((0, 1, 2, 3, 4, 5, 32)):
        prints[row, :differing] = 255
    asked: list[tuple[int, int]] = []

    def same(row: int, other: int) -> bool:
        asked.append((row, other))
        return (row, other) in {(2, 0), (5, 1)}

    assert groups_of([(prints, 48)], same).tolist() == [1, 2, 1, 0, 0, 2, 0]
    # The nearest first, three at most, only of rows that lead a group; and nobody where all are too far.
    assert asked == [(1, 0), (2, 1), (2, 0), (3, 1), (3, 0), (4, 3), (4, 1), (4, 0), (5, 4), (5, 3), (5, 1)]
    assert groups_of([(prints, 8)], lambda row, other: False).tolist() == [0] * 7


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 30), st.integers(0, 99))
def test_a_space_fits_any_number_of_pictures(count: int, dimensions: int, seed: int) -> None:
    features = unit(np.random.default_rng(seed).standard_normal((count, 24)) + 1)
    space = fit_space(features, dimensions, seed)
    vectors = space.project(features)
    assert space.features == 24
    assert vectors.shape == (count, space.dimensions)
    assert vectors.dtype == np.float32
    lengths = np.linalg.norm(vectors, axis=1)
    assert ((np.abs(lengths - 1) < 1e-3) | (lengths == 0)).all()


def test_equal_pictures_have_a_space_too() -> None:
    features = np.repeat(unit(np.ones((1, 8))), 5, axis=0)
    assert np.allclose(fit_space(features, 4, 0).project(features), features, atol=1e-6)
