"""Rows at length 1."""

import numpy as np
import pytest

from recall.unit_rows import unit_rows


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_have_length_one_and_zeros_stay(dtype: type[np.floating]) -> None:
    made = unit_rows(np.array([[0, 0], [3, 4], [-5, 0]], dtype))
    assert made.dtype == dtype
    np.testing.assert_allclose(made, [[0, 0], [0.6, 0.8], [-1, 0]], rtol=1e-6)


def test_no_rows_are_none() -> None:
    assert unit_rows(np.empty((0, 3), np.float32)).shape == (0, 3)
