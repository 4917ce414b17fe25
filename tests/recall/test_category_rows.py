"""Search within a category: selector and shift find what comparing every vector finds."""

from __future__ import annotations

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.category_search import compare, digits_of, shifted
from recall.category_rows import CategoryRows


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 30), min_size=1, max_size=40),
    dimensions=st.integers(2, 12),
    k=st.integers(0, 40),
    seed=st.integers(0, 99),
)
def test_selector_and_shift_find_the_nearest_of_the_category(sizes, dimensions, k, seed):
    random = np.random.default_rng(seed)
    categories = np.repeat(np.arange(len(sizes)), sizes)
    vectors = random.standard_normal((len(categories), dimensions)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    plain, digits = faiss.IndexFlatIP(dimensions), digits_of(len(sizes))
    plain.add(vectors)
    rows = CategoryRows.over(plain, categories, len(sizes) - 1)
    wide = shifted(vectors, categories, digits)
    query = vectors[:1] if len(vectors) else np.eye(1, dimensions, dtype=np.float32)
    for category, size in enumerate(sizes):
        near, found = rows.search(query[0], category, k)
        inside = np.flatnonzero(categories == category)
        exact = np.sort(vectors[inside] @ query[0])[::-1][:k]
        assert found.size == min(k, size)
        assert (categories[found] == category).all()
        np.testing.assert_allclose(near, exact, atol=1e-5)
        moved = wide @ shifted(query, np.array([category]), digits)[0]
        by_shift = np.argsort(-moved, kind="stable")[: found.size]
        assert (categories[by_shift] == category).all()
        np.testing.assert_allclose(vectors[by_shift] @ query[0], near, atol=1e-4)


def test_rows_in_another_order_are_refused():
    index = faiss.IndexFlatIP(2)
    index.add(np.eye(2, dtype=np.float32))
    with pytest.raises(ValueError, match="not sorted by category"):
        CategoryRows.over(index, np.array([1, 0]), 1)


def test_the_comparison_holds_exact_methods_to_be_equal():
    random = np.random.default_rng(1)
    vectors = random.standard_normal((400, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    compared = compare(vectors, np.sort(random.integers(0, 20, 400)), 20, queries=10, seed=0)
    assert [recall for _, _, recall in compared[:3]] == [1.0, 1.0, 1.0]
    with pytest.raises(ValueError, match="finds other neighbours"):
        compare(vectors * 10, np.sort(random.integers(0, 20, 400)), 20, queries=10, seed=0)
