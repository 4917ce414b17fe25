"""Puts categories together by who takes from them: vectors of co-occurrence, and k-means on the sphere."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
_ROUNDS = 25
_OVERSAMPLED, _POWERS = 10, 3


def category_vectors(
    user: NDArray[np.integer[Any]], taken: NDArray[np.integer[Any]], count: int, dimensions: int, seed: int
) -> tuple[Float64, Float64]:
    """Vectors of categories 1…count: alike where the same shoppers take from both.

    A truncated decomposition of log(1 + times) by shopper and category, each shopper weighted by the inverse
    root of the categories it took from, by a randomised range finder (Halko, Martinsson and Tropp, SIAM
    Review 53, 2011).

    Args:
        user: int[s], shopper of each take.
        taken: int[s], its category, 0 = none.
        count: categories.
        dimensions: length of a vector.
        seed: of the range finder.

    Returns:
        float64[count, ≤ dimensions] of length 1, or 0 where nobody took from it; and float64[count], takes.
    """
    known = taken > 0
    _, row = np.unique(user[known], return_inverse=True)
    matrix = sp.csr_matrix(
        (np.ones(len(row)), (row, taken[known] - 1)), shape=(int(row.max(initial=-1)) + 1, count)
    )
    weight = np.asarray(matrix.sum(axis=0)).ravel()
    if not matrix.nnz:
        return np.zeros((count, 1)), weight
    matrix.data = np.log1p(matrix.data)
    spread = 1 / np.sqrt(np.maximum(np.diff(matrix.indptr), 1))
    matrix = sp.diags(spread) @ matrix
    # Without it, the first direction is how much is taken from a category at all.
    norm = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=0)).ravel())
    matrix = matrix @ sp.diags(1 / np.maximum(norm, 1e-12))
    width = min(dimensions + _OVERSAMPLED, min(matrix.shape))
    basis = np.random.default_rng(seed).normal(size=(count, width))
    for _ in range(_POWERS):
        basis, _ = np.linalg.qr(matrix.T @ (matrix @ basis))
    _, scale, right = np.linalg.svd(matrix @ basis, full_matrices=False)
    vectors = (basis @ right.T * scale)[:, :dimensions]
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 1e-9), weight


def clusters(
    vectors: Float64, weight: Float64, parent: NDArray[np.integer[Any]], limit: int, seed: int
) -> NDArray[np.int64]:
    """Groups of rows, none across two parents: about `limit` in all, at least one for each parent.

    Args:
        vectors: float64[n, d] of length 1; a row of zeros joins its parent's largest group.
        weight: float64[n], of each row in its group's centre.
        parent: int[n].
        limit: groups in all, divided among parents by their rows.
        seed: of the first centres.

    Returns:
        int64[n], groups from 0.
    """
    group = np.zeros(len(vectors), np.int64)
    random, first = np.random.default_rng(seed), 0
    for each in np.unique(parent):
        rows = np.flatnonzero(parent == each)
        wanted = max(1, min(len(rows), round(limit * len(rows) / len(vectors))))
        found = _spherical_k_means(vectors[rows], weight[rows], wanted, random)
        group[rows] = first + found
        first += wanted
    return group


def _spherical_k_means(
    vectors: Float64, weight: Float64, count: int, random: np.random.Generator
) -> NDArray[np.int64]:
    """int64[n], 0…count − 1: the nearest centre by cosine (Dhillon and Modha, Machine Learning 42, 2001)."""
    if count == 1:
        return np.zeros(len(vectors), np.int64)
    weight = np.maximum(weight, 1e-6)
    # The first centres are far from each other, the heavy rows first (k-means++ on 1 − cosine).
    chosen = [int(weight.argmax())]
    similarity = vectors @ vectors[chosen[0]]
    for _ in range(count - 1):
        distance = np.clip(1 - similarity, 0, None) * np.sqrt(weight)
        chance = distance / distance.sum() if distance.sum() > 0 else np.full(len(vectors), 1 / len(vectors))
        chosen.append(int(random.choice(len(vectors), p=chance)))
        similarity = np.maximum(similarity, vectors @ vectors[chosen[-1]])
    centres = vectors[chosen]
    group = np.zeros(len(vectors), np.int64)
    for _ in range(_ROUNDS):
        nearest = (vectors @ centres.T).argmax(axis=1)
        if (nearest == group).all():
            break
        group = nearest
        sums = np.zeros_like(centres)
        np.add.at(sums, group, vectors * np.sqrt(weight)[:, None])
        length = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = np.where(length > 1e-9, sums / np.maximum(length, 1e-9), centres)
    empty = ~vectors.any(axis=1)
    if (~empty).any():
        group[empty] = np.bincount(group[~empty], minlength=count).argmax()
    return group
