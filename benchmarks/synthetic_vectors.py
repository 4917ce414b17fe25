"""Seeded vectors that are as hard to search as embeddings of pictures, made block by block.

A vector is the sum of the centres of a large and of a small group and of noise of its own, each with
variances that fall along the dimensions, made to length 1. How hard real vectors are is said by two figures:
relative contrast (mean distance by the distance of the nearest, He et al., ICML 2012) and local intrinsic
dimension (Levina & Bickel, NIPS 2004). `fit` chooses the shares of the sum and the fall of the variances so
that both are those of given vectors, among as many of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

BLOCK = 65_536
_LARGE, _SMALL = 64, 8_192
_NEIGHBOURS, _ASKED = 20, 500
_first = itemgetter(0)


@dataclass(frozen=True)
class Difficulty:
    """Of a set of vectors: `contrast` above 1, the lower the harder; `dimension`, the higher the harder."""

    contrast: float
    dimension: float


def difficulty(vectors: NDArray[np.float32], seed: int) -> Difficulty:
    """Of float32[n, D] of length 1, by 500 of them, none compared with itself or an equal one."""
    asked = np.random.default_rng(seed).choice(len(vectors), min(_ASKED, len(vectors)), replace=False)
    squares = np.maximum(2 - 2 * vectors[asked] @ vectors.T, 0)
    squares[squares < 1e-6] = np.nan
    distances = np.sqrt(squares)
    nearest = np.sort(distances, axis=1)[:, :_NEIGHBOURS]
    return _difficulty(nearest, float(np.nanmean(distances)))


def hardness(likeness: NDArray[np.float32], distance: float) -> Difficulty:
    """Of queries among vectors, all of length 1.

    Args:
        likeness: float32[q, k], cosines of each query's k nearest, best first.
        distance: mean of the queries' distances to all vectors.
    """
    return _difficulty(np.sqrt(np.maximum(2 - 2 * likeness, 1e-12)), distance)


def _difficulty(nearest: NDArray[np.float32], distance: float) -> Difficulty:
    # The maximum likelihood estimate, averaged as MacKay & Ghahramani correct it.
    logarithms = np.log(nearest[:, -1:] / nearest[:, :-1])
    return Difficulty(distance / float(nearest[:, 0].mean()), float(1 / logarithms.mean()))


@dataclass(frozen=True)
class Recipe:
    """How vectors are made; two of equal fields make equal vectors.

    Attributes:
        dimensions: D.
        fall: variance of dimension d is d to the power of −fall.
        large: part of the variance between large groups; small: between small ones; the rest is its own.
        seed: of everything.
    """

    dimensions: int
    fall: float = 0.6
    large: float = 0.3
    small: float = 0.3
    seed: int = 0

    def block(self, number: int, rows: int = BLOCK) -> NDArray[np.float32]:
        """float32[rows, D] of length 1, the same for a number each time."""
        random = np.random.default_rng((self.seed, 1, number))
        small = random.integers(0, _SMALL, rows)
        vectors = random.standard_normal((rows, self.dimensions), np.float32)
        vectors *= self._scale * np.float32((1 - self.large - self.small) ** 0.5)
        vectors += self._centres[small]
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors

    def blocks(self, count: int) -> Iterator[NDArray[np.float32]]:
        """`count` vectors in all, in blocks of 65,536."""
        for number, start in enumerate(range(0, count, BLOCK)):
            yield self.block(number, min(BLOCK, count - start))

    @cached_property
    def _scale(self) -> NDArray[np.float32]:
        return (np.arange(1, self.dimensions + 1) ** (-self.fall / 2)).astype(np.float32)

    @cached_property
    def _centres(self) -> NDArray[np.float32]:
        """Of small groups, each with that of its large group in it."""
        random = np.random.default_rng((self.seed, 0))
        large = random.standard_normal((_LARGE, self.dimensions), np.float32) * self._scale
        small = random.standard_normal((_SMALL, self.dimensions), np.float32) * self._scale
        mixed = large[random.integers(0, _LARGE, _SMALL)] * self.large**0.5 + small * self.small**0.5
        return np.asarray(mixed, np.float32)


def fit(wanted: Difficulty, count: int, dimensions: int, seed: int) -> tuple[Recipe, Difficulty]:
    """The recipe whose `count` vectors come nearest to a difficulty, of two grids, and theirs."""
    wide = product(np.arange(0.6, 2.21, 0.2), (0.1, 0.2, 0.3, 0.4, 0.5), (0.1, 0.2, 0.3, 0.4))
    _, found, made = _nearest(wanted, count, Recipe(dimensions, seed=seed), wide, seed)
    near = product(
        (found.fall - 0.1, found.fall, found.fall + 0.1),
        (found.large - 0.05, found.large, found.large + 0.05),
        (found.small - 0.05, found.small, found.small + 0.05),
    )
    return min((_nearest(wanted, count, found, near, seed), (_off(made, wanted), found, made)), key=_first)[
        1:
    ]


def _nearest(
    wanted: Difficulty,
    count: int,
    recipe: Recipe,
    grid: Iterable[tuple[float, float, float]],
    seed: int,
) -> tuple[float, Recipe, Difficulty]:
    best = float("inf"), recipe, Difficulty(1.0, 0.0)
    for fall, large, small in grid:
        tried = replace(recipe, fall=float(fall), large=large, small=small)
        made = difficulty(tried.block(0, count), seed)
        best = min(best, (_off(made, wanted), tried, made), key=_first)
    return best


def _off(made: Difficulty, wanted: Difficulty) -> float:
    """By how much a difficulty is missed, the sum of both logarithms."""
    return float(
        abs(np.log(made.contrast / wanted.contrast)) + abs(np.log(made.dimension / wanted.dimension))
    )
