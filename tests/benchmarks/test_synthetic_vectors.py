"""Made vectors are the same each time, of length 1, and their difficulty is the same by either way to it."""

from __future__ import annotations

import numpy as np

from benchmarks.synthetic_vectors import Recipe, difficulty, hardness


def test_a_block_is_made_again_alike() -> None:
    recipe = Recipe(16, seed=3)
    np.testing.assert_array_equal(recipe.block(2, 50), Recipe(16, seed=3).block(2, 50))
    assert (recipe.block(2, 50) != recipe.block(1, 50)).any()
    np.testing.assert_allclose(np.linalg.norm(recipe.block(0, 50), axis=1), 1, atol=1e-6)


def test_the_difficulty_of_queries_is_that_of_the_vectors() -> None:
    vectors = Recipe(24, fall=1.2, seed=1).block(0, 400)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, np.nan)
    nearest = -np.sort(-cosines, axis=1)[:, :20].astype(np.float32)
    distance = float(np.nanmean(np.sqrt(2 - 2 * cosines)))
    of_all, of_queries = difficulty(vectors, 1), hardness(nearest, distance)
    np.testing.assert_allclose(
        (of_queries.contrast, of_queries.dimension), (of_all.contrast, of_all.dimension), rtol=1e-3
    )


def test_steeper_variances_leave_fewer_dimensions() -> None:
    flat, steep = (Recipe(64, fall=fall, seed=1).block(0, 600) for fall in (0.2, 2.0))
    assert difficulty(steep, 1).dimension < 0.7 * difficulty(flat, 1).dimension
    assert difficulty(steep, 1).contrast > difficulty(flat, 1).contrast
