"""Examples whose grades follow from their inputs."""

from __future__ import annotations

import numpy as np

from models.rankers.examples import Examples, Ranges

INPUTS = 6


def examples(queries: int, seed: int, product: bool = False) -> Examples:
    """Ten candidates a query; grades 0…2 by two inputs, or by their product, within each query."""
    random = np.random.default_rng(seed)
    inputs = random.normal(size=(queries * 10, INPUTS)).astype(np.float32)
    value = inputs[:, 0] * inputs[:, 1] if product else 2 * inputs[:, 0] - inputs[:, 1]
    value = (value + 0.3 * random.normal(size=value.size)).reshape(queries, 10)
    place = (-value).argsort(axis=1).argsort(axis=1)
    grades = np.select([place == 0, place <= 2], [2, 1], 0).ravel()
    query = np.repeat(np.arange(queries), 10)
    return Examples(inputs, grades.astype(np.int64), query, np.arange(queries))


def ranges(product: bool = False) -> Ranges:
    return Ranges(
        examples(80, 1, product),
        examples(30, 2, product),
        examples(40, 3, product),
        tuple(f"x{number}" for number in range(INPUTS)),
    )
