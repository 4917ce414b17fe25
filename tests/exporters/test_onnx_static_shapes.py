"""Targets of reshapes are written down where they can be, and only there."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest

from exporters.static_shapes import write_shapes_down

HEADER = '<ir_version: 10, opset_import: ["" : 18]>\n'


def rewritten(text: str, shapes: dict[str, list[int | str | None]]) -> ir.Model:
    """The model of a graph in ONNX's text syntax, its inner values given shapes, after the pass."""
    model = ir.from_proto(onnx.parser.parse_model(HEADER + text))
    for node in model.graph:
        for value in node.outputs:
            if value.name in shapes:
                value.shape = ir.Shape(shapes[value.name])
    write_shapes_down(model)
    return model


def target_of(model: ir.Model, name: str) -> list[int] | None:
    for node in model.graph:
        if node.outputs[0].name == name:
            constant = ir.convenience.get_const_tensor(node.inputs[1])
            return None if constant is None else constant.numpy().tolist()
    raise AssertionError(f"no node makes {name}")


SPLIT = """g (float[n, 12] x, int64[3] sizes) => (float[n, 3, 4] y)
{ m = Reshape <allowzero = 1> (x, sizes)
  y = Identity(m) }"""


@pytest.mark.parametrize(
    ("shape", "target"),
    [(["n", 3, 4], [0, 3, 4]), (["other", 3, 4], [-1, 3, 4]), ([2, 3, 4], [2, 3, 4])],
)
def test_one_open_size_is_inferred_or_kept(shape: list[int | str | None], target: list[int]) -> None:
    assert target_of(rewritten(SPLIT, {"m": shape}), "m") == target


@pytest.mark.parametrize("shape", [["a", "b", 4], [None, 3, 4]])
def test_sizes_that_cannot_be_told_apart_stay_computed(shape: list[int | str | None]) -> None:
    assert target_of(rewritten(SPLIT, {"m": shape}), "m") is None


def test_a_reshape_that_changes_nothing_goes() -> None:
    model = rewritten(SPLIT.replace("[n, 3, 4] y", "[n, 12] y"), {"m": ["n", 12]})
    assert [node.op_type for node in model.graph] == ["Identity"]


def test_the_graph_still_runs_with_the_size_copied() -> None:
    model = ir.to_proto(rewritten(SPLIT, {"m": ["n", 3, 4]}))
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    x = np.arange(60, dtype=np.float32).reshape(5, 12)
    (y,) = session.run(None, {"x": x, "sizes": np.array([5, 3, 4])})
    np.testing.assert_array_equal(y, x.reshape(5, 3, 4))
