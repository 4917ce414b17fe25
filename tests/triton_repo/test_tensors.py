"""Declared tensors: what they are called on each side, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from triton_repo.tensors import DTYPES, Tensor, Tensors, wire_type


def test_every_type_has_one_name_on_the_wire() -> None:
    for dtype, names in DTYPES.items():
        assert wire_type(np.zeros(1, names.numpy)) == names.wire
        assert Tensor("t", dtype, ("B",)).wire == names.wire  # type: ignore[arg-type]
    assert wire_type(np.array([b"ab"])) == "BYTES"
    with pytest.raises(TypeError, match="no tensor is complex128"):
        wire_type(np.zeros(1, complex))


def test_sizes() -> None:
    tensor = Tensor("t", "float32", ("B", 4, -1, "n"))
    assert tensor.dims == (-1, 4, -1, -1)
    assert tensor.sized({"B": 2, "n": 7}) == (2, 4, 1, 7)
    assert str(tensor) == "float32[B, 4, -1, n]"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [(("t", "int16", (1,)), "t is int16; types are"), (("t", "int32", (0,)), "t has the size 0")],
)
def test_a_wrong_tensor_is_refused(arguments: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Tensor(*arguments)


def test_names_come_once() -> None:
    one = Tensor("t", "int32", ("B",))
    with pytest.raises(ValueError, match="outputs must be named"):
        Tensors((one,), (one, one))
    with pytest.raises(ValueError, match="inputs must be named"):
        Tensors((), (one,))
