"""INT8 products: which are taken, that calibration repeats, and what the rewritten graph answers."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantFormat, QuantType

from exporters.graph_rewrite import GraphRewrite, InTurn, NotApplicable
from exporters.input_cases import InputCase
from exporters.int8_matmul import DynamicInt8, StaticInt8, has_vnni, large_products, split_gemm
from exporters.quantised_tables import QuantisedTables
from tests.exporters.graphs import run
from triton_repo.contract import Contract

CONTRACT = Contract("small", {"item": (-1,)}, "score", (-1, 8))
WIDTH, HIDDEN = 64, 96


@pytest.fixture(scope="module")
def graph() -> onnx.ModelProto:
    """Rows of a table above 1 MiB through a Gemm, a LeakyRelu and a small product."""
    random = np.random.default_rng(5)

    def constant(name: str, *shape: int) -> onnx.TensorProto:
        return numpy_helper.from_array((random.normal(size=shape) / 8).astype(np.float32), name)

    nodes = [
        helper.make_node("Gather", ["table", "item"], ["row"], "look", axis=0),
        helper.make_node("Gemm", ["row", "first", "bias"], ["hidden"], "gemm", transB=1),
        helper.make_node("LeakyRelu", ["hidden"], ["active"], "relu"),
        helper.make_node("MatMul", ["active", "second"], ["score"], "small"),
    ]
    made = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("item", TensorProto.INT32, ["n"])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n", 8])],
        [
            constant("table", 5000, WIDTH),
            constant("first", HIDDEN, WIDTH),
            constant("bias", HIDDEN),
            constant("second", HIDDEN, 8),
        ],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def samples(seed: int = 0) -> list[InputCase]:
    random = np.random.default_rng(seed)
    return [InputCase(str(i), {"item": random.integers(0, 5000, 200, np.int32)}) for i in range(4)]


def test_gemm_becomes_product_and_sum_with_the_same_answer(graph: onnx.ModelProto) -> None:
    split = onnx.ModelProto.FromString(graph.SerializeToString())
    split_gemm(split)
    onnx.checker.check_model(split)
    assert [node.op_type for node in split.graph.node] == ["Gather", "MatMul", "Add", "LeakyRelu", "MatMul"]
    assert large_products(split) == {"gemm.MatMul": "first.transposed"}
    assert set(large_products(split, 1)) == {"gemm.MatMul", "small"}
    assert "first" not in {tensor.name for tensor in split.graph.initializer}
    feeds = samples()[0].feeds
    np.testing.assert_allclose(run(split, feeds), run(graph, feeds), atol=1e-6)


@pytest.mark.parametrize(
    "rewrite",
    [
        StaticInt8(),
        StaticInt8(layout=QuantFormat.QOperator),
        StaticInt8(activations=QuantType.QInt8, symmetric=True),
        DynamicInt8(),
        InTurn((QuantisedTables(8), StaticInt8())),
        InTurn((QuantisedTables(4), DynamicInt8())),
    ],
    ids=lambda rewrite: "-".join(type(step).__name__ for step in getattr(rewrite, "steps", [rewrite])),
)
def test_the_answer_stays_near_and_the_given_graph_as_it_is(
    graph: onnx.ModelProto, rewrite: GraphRewrite
) -> None:
    before = graph.SerializeToString()
    made = rewrite.rewrite(graph, CONTRACT, samples())
    assert graph.SerializeToString() == before
    assert [tensor.name for tensor in made.graph.input] == ["item"]
    assert made.opset_import[0].version == 18
    for n in (0, 1, 300):
        feeds = {"item": np.arange(n, dtype=np.int32)}
        expected, found = run(graph, feeds), run(made, feeds)
        assert found.shape == expected.shape == (n, 8)
        assert np.abs(found - expected).max(initial=0) < 0.1 * max(1.0, np.abs(expected).max(initial=0))
        assert n == 0 or np.abs(found - expected).max() > 0


def test_calibration_repeats_byte_by_byte(graph: onnx.ModelProto) -> None:
    first, again, other = (
        StaticInt8().rewrite(graph, CONTRACT, samples(seed)).SerializeToString() for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_weights_are_quantised_per_column(graph: onnx.ModelProto) -> None:
    made = StaticInt8().rewrite(graph, CONTRACT, samples())
    scales = {tensor.name: tensor.dims for tensor in made.graph.initializer if "scale" in tensor.name}
    assert [HIDDEN] in [list(dims) for name, dims in scales.items() if name.startswith("first")]


def test_nothing_to_quantise_is_said(graph: onnx.ModelProto) -> None:
    with pytest.raises(NotApplicable, match="no product with a constant matrix has 1,000,000 weights"):
        StaticInt8(least_weights=1_000_000).rewrite(graph, CONTRACT, samples())
    with pytest.raises(NotApplicable, match="no real input to calibrate on"):
        StaticInt8().rewrite(graph, CONTRACT, [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("flags\t\t: fpu avx2 avx512_vnni\n", True),
        ("flags\t\t: fpu avx_vnni avx2\n", True),
        ("flags\t\t: fpu avx2 avx512f\n", False),
        ("Features\t: asimd asimddp\n", True),
    ],
)
def test_vnni_is_read_from_the_flags(tmp_path: Path, text: str, expected: bool) -> None:
    (tmp_path / "cpuinfo").write_text("processor\t: 0\n" + text)
    assert has_vnni(tmp_path / "cpuinfo") is expected


def test_a_machine_without_that_file_is_taken_for_one_that_can(tmp_path: Path) -> None:
    assert has_vnni(tmp_path / "none")


def test_weights_of_seven_bits_where_asked(graph: onnx.ModelProto) -> None:
    made = StaticInt8(reduce_range=True).rewrite(graph, CONTRACT, samples())
    weights = [
        numpy_helper.to_array(tensor)
        for tensor in made.graph.initializer
        if tensor.data_type == TensorProto.INT8 and len(tensor.dims) == 2
    ]
    assert weights
    assert all(np.abs(matrix.astype(int)).max() <= 64 for matrix in weights)
