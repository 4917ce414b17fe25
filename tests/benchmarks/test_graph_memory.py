"""Memory of a graph in a process of its own."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from benchmarks.graph_memory import graph_memory


def test_a_graph_takes_at_least_its_table(tmp_path: Path) -> None:
    table = np.zeros((64 << 10, 256), np.float32)
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "rows"], ["answer"])],
        "table",
        [helper.make_tensor_value_info("rows", TensorProto.INT32, ["n"])],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(table, "table")],
    )
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), path)
    assert 60 < graph_memory(path, {"rows": np.arange(4, dtype=np.int32)}) < 1000
