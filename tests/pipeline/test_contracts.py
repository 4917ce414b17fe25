"""What a stage returns in another form than its Protocol's is named, also where it is no array at all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.contracts import check_columns, check_mask, check_positions, check_recalled
from pipeline.stages import ContractError, Recalled

TWO = np.zeros(2, np.float32)


@pytest.mark.parametrize(
    ("check", "fault"),
    [
        (lambda: check_mask([True, False], 2), r"a mask bool\[2\] was expected, got a list"),  # type: ignore[arg-type]
        (lambda: check_mask(np.zeros(2, np.int8), 2), r"a mask bool\[2\] was expected, got int8\[2\]"),
        (lambda: check_mask(np.zeros(3, np.bool_), 2), r"a mask bool\[2\] was expected, got bool\[3\]"),
        (lambda: check_positions([0, 1], 2), "integers in one dimension, got a list"),  # type: ignore[arg-type]
        (lambda: check_positions(TWO, 2), r"integers in one dimension, got float32\[2\]"),  # type: ignore[arg-type]
        (lambda: check_columns({"score": [0.1, 0.2]}, 2), "the column score is a list"),  # type: ignore[dict-item]
        (lambda: check_columns({"score": np.zeros(2)}, 2), r"the column score is float64\[2\]"),  # type: ignore[dict-item]
        (
            lambda: check_recalled(Recalled([1, 2], TWO, np.zeros(2, np.int32)), 2),  # type: ignore[arg-type]
            r"must be arrays int32, float32, int32, got a list, float32\[2\], int32\[2\]",
        ),
        (
            lambda: check_recalled(Recalled(np.array([1, 2]), TWO, np.zeros(2, np.int32)), 2),  # type: ignore[arg-type]
            "must be int32, float32, int32, got int64, float32, int32",
        ),
    ],
)
def test_another_form_is_named(check: Any, fault: str) -> None:
    with pytest.raises(ContractError, match=fault):
        check()
