"""Vectors at length 1, so that their products are cosines."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

F = TypeVar("F", bound=np.floating[Any])


def unit_rows(vectors: NDArray[F]) -> NDArray[F]:
    """The rows of vectors [n, D] at length 1, in their own dtype; a row of zeros stays."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0))
