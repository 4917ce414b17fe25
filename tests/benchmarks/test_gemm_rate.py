"""Counting the operations of matrix products."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from benchmarks.gemm_rate import float32_rate, matrix_products_flop


def _graph(tmp_path: Path, nodes: list[onnx.NodeProto], constants: dict[str, np.ndarray]) -> Path:
    graph = helper.make_graph(
        nodes,
        "products",
        [helper.make_tensor_value_info("rows", TensorProto.INT32, ["n", 3])],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), path)
    return path


def test_every_product_counts_with_the_shapes_of_the_call(tmp_path: Path) -> None:
    path = _graph(
        tmp_path,
        [
            helper.make_node("Cast", ["rows"], ["x"], to=TensorProto.FLOAT),
            helper.make_node("MatMul", ["x", "w"], ["y"]),
            helper.make_node("Gemm", ["v", "u"], ["z"], transA=1),
            helper.make_node("MatMul", ["y", "z"], ["answer"]),
        ],
        {
            "w": np.ones((3, 5), np.float32),
            "v": np.ones((7, 5), np.float32),
            "u": np.ones((7, 2), np.float32),
        },
    )
    flop = matrix_products_flop(path, {"rows": np.ones((11, 3), np.int32)})
    assert flop == 2 * (11 * 3 * 5 + 5 * 7 * 2 + 11 * 5 * 2)


def test_a_graph_without_a_product_is_refused(tmp_path: Path) -> None:
    path = _graph(tmp_path, [helper.make_node("Cast", ["rows"], ["answer"], to=TensorProto.FLOAT)], {})
    with pytest.raises(ValueError, match="no matrix product"):
        matrix_products_flop(path, {"rows": np.ones((1, 3), np.int32)})


def test_the_rate_is_a_positive_number() -> None:
    assert 0 < float32_rate(rounds=2, size=64) < 1e15
