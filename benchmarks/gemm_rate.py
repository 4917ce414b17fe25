"""How many floating-point operations a graph's matrix products take, and how many this machine can do."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper

PRODUCTS = frozenset(
    {
        "MatMul",
        "Gemm",
        "FusedMatMul",
        "FusedGemm",
        "MatMulInteger",
        "MatMulIntegerToFloat",
        "DynamicQuantizeMatMul",
        "QLinearMatMul",
        "QGemm",
    }
)


def matrix_products_flop(model: Path, feeds: Mapping[str, NDArray[np.int32]]) -> int:
    """Floating-point operations (a multiply and an add count two) of all matrix products for these inputs.

    The graph is run once as it was written, with every product's operand and result as outputs, so that
    shapes are those of this call and not a guess. Raises ValueError for a graph without a matrix product.
    """
    graph = onnx.load(model)
    products = [node for node in graph.graph.node if node.op_type in PRODUCTS]
    if not products:
        raise ValueError(f"{model} holds no matrix product")
    constants = {tensor.name: tuple(tensor.dims) for tensor in graph.graph.initializer}
    watched = {name for node in products for name in (node.input[0], node.output[0])} - set(constants)
    known = {tensor.name for tensor in (*graph.graph.input, *graph.graph.output)}
    graph.graph.output.extend(onnx.ValueInfoProto(name=name) for name in sorted(watched - known))
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
    wanted = sorted(watched - set(feeds))
    shapes = constants | {name: feed.shape for name, feed in feeds.items()}
    shapes |= {
        name: value.shape for name, value in zip(wanted, session.run(wanted, dict(feeds)), strict=True)
    }
    return sum(2 * int(np.prod(shapes[node.output[0]])) * _inner(node, shapes) for node in products)


def _inner(node: onnx.NodeProto, shapes: Mapping[str, tuple[int, ...]]) -> int:
    transposed = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
    return shapes[node.input[0]][0 if transposed else -1]


def square_product(size: int = 768) -> Callable[[], object]:
    """A float32 product of two `size` × `size` matrices by ONNX Runtime on one thread, ready to be timed.

    It takes 2 · `size`³ floating-point operations.
    """
    square = helper.make_tensor_value_info("a", TensorProto.FLOAT, [size, size])
    result = helper.make_tensor_value_info("c", TensorProto.FLOAT, [size, size])
    weights = np.random.default_rng(0).random((size, size), np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["a", "b"], ["c"])],
        "product",
        [square],
        [result],
        [onnx.numpy_helper.from_array(weights, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    feed = {"a": weights}
    return lambda: session.run(None, feed)


def float32_rate(rounds: int = 20, size: int = 768) -> float:
    """Float32 operations per second of the machine's matrix product on one thread: the best of `rounds`."""
    product = square_product(size)
    product()
    best = float("inf")
    for _ in range(rounds):
        begin = time.perf_counter()
        product()
        best = min(best, time.perf_counter() - begin)
    return 2 * size**3 / best
