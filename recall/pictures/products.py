"""Products of vectors on the thread that asks."""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

_FAISS: Any = faiss
"""Its stubs take pointers for arrays."""


def products(query: NDArray[np.float32], rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32[m]: of float32[D] with each row of contiguous float32[m, D].

    NumPy's product takes all cores, and waits for each of them, where others work.
    """
    found = np.empty(len(rows), np.float32)
    query = np.ascontiguousarray(query, np.float32)
    _FAISS.fvec_inner_products_ny(
        faiss.swig_ptr(found), faiss.swig_ptr(query), faiss.swig_ptr(rows), rows.shape[1], len(rows)
    )
    return found
