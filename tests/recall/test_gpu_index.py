"""Item vectors on a GPU answer as on the CPU; where there is none, nothing changes."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from recall.gpu_index import GpuIndex, on_gpu, placed, why_no_gpu
from recall.vector_index import VectorIndexSettings, make_index, open_index, open_searched, write_index

SETTINGS = VectorIndexSettings(flat_below=0)


def unit_vectors(count: int, seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((count, 16)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.skipif(not why_no_gpu(), reason="there is a GPU")
def test_without_a_gpu_the_index_is_searched_where_it_was_opened(tmp_path: Path) -> None:
    write_index(tmp_path / "items.faiss", unit_vectors(500, 1), SETTINGS, seed=1)
    index = open_searched(tmp_path / "items.faiss", SETTINGS)
    assert placed(index, "auto") is index
    plain = open_index(tmp_path / "items.faiss").search(unit_vectors(5, 2), 10)
    for found, expected in zip(index.search(unit_vectors(5, 2), 10), plain, strict=True):
        np.testing.assert_array_equal(found, expected)
    with pytest.raises(AttributeError, match="GpuResources"):
        on_gpu(index)


@pytest.mark.gpu
@pytest.mark.skipif(bool(why_no_gpu()), reason=f"missing: {why_no_gpu()}")
@pytest.mark.parametrize("kind", ["flat", "ivf"])
def test_the_gpu_finds_what_the_cpu_finds(kind: Literal["flat", "ivf"], tmp_path: Path) -> None:
    settings = VectorIndexSettings(index=kind)
    write_index(tmp_path / "items.faiss", unit_vectors(5_000, 1), settings, seed=1)
    index = open_searched(tmp_path / "items.faiss", settings)
    assert isinstance(index, GpuIndex)
    plain = open_index(tmp_path / "items.faiss")
    assert (index.ntotal, index.d) == (plain.ntotal, plain.d)
    for k in (10, 3_000):
        scores, rows = index.search(unit_vectors(20, 2), k)
        expected, among = plain.search(unit_vectors(20, 2), k)
        np.testing.assert_allclose(scores, expected, atol=1e-4)
        assert np.mean(rows == among) > 0.98
    assert placed(make_index(unit_vectors(50, 3), settings, 1), "cpu").ntotal == 50
