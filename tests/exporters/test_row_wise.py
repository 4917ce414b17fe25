"""Row-wise quantisation: bounds on the error, packing, and the graph that dequantises after the gather."""

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from onnx import TensorProto, helper, numpy_helper

from exporters.graph_rewrite import NotApplicable
from exporters.quantised_tables import QuantisedTables, gathered_tables
from exporters.row_wise import int4_rows, int8_rows, pack_int4, unpack_int4
from models.contracts import contract as contract_of
from tests.exporters.graphs import run

BST = contract_of("bst")
tables = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40),
    elements=st.floats(-1e6, 1e6, width=32),
)


@given(tables)
def test_int8_moves_no_value_by_more_than_half_a_step(table: np.ndarray) -> None:
    rows = int8_rows(table)
    assert rows.values.min(initial=0) >= -127
    bound = np.abs(table).max(1, keepdims=True) / 254
    error = np.abs(rows.dequantised().astype(np.float64) - table)
    assert (error <= bound * (1 + 1e-5) + 1e-30).all()


@given(tables)
def test_int4_is_never_worse_than_the_rows_own_range(table: np.ndarray) -> None:
    found = int4_rows(table).dequantised().astype(np.float64)
    low, high = table.min(1, keepdims=True).astype(np.float64), table.max(1, keepdims=True)
    step = np.where(high > low, (high - low) / 15, 1)
    plain = np.rint((table - low) / step) * step + low
    ours, theirs = ((found - table) ** 2).sum(1), ((plain - table) ** 2).sum(1)
    rounding = (np.abs(table).max(1).astype(np.float64) * 1e-6) ** 2 * table.shape[1] + 1e-60
    assert (ours <= theirs * 1.01 + rounding).all()


@given(tables)
def test_a_constant_row_comes_back_as_it_was(table: np.ndarray) -> None:
    flat = np.repeat(table[:, :1], 6, axis=1)
    np.testing.assert_array_equal(int4_rows(flat).dequantised(), flat)
    np.testing.assert_allclose(int8_rows(flat).dequantised(), flat, rtol=1e-6, atol=1e-38)


@given(
    hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=33), elements=st.integers(0, 15))
)
def test_packing_keeps_every_code(codes: np.ndarray) -> None:
    packed = pack_int4(codes)
    assert packed.shape == (len(codes), (codes.shape[1] + 1) // 2)
    np.testing.assert_array_equal(unpack_int4(packed, codes.shape[1]), codes)


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from([8, 4]),
    st.integers(1, 9),
    hnp.array_shapes(min_dims=1, max_dims=3, max_side=5),
    st.integers(0, 2**32 - 1),
)
def test_the_graph_gathers_what_numpy_dequantises(
    bits: int, width: int, index_shape: tuple[int, ...], seed: int
) -> None:
    random = np.random.default_rng(seed)
    table = random.normal(size=(20, width)).astype(np.float32)
    index = random.integers(0, 20, index_shape)
    graph = lookup_graph(table, index.ndim)
    assert bits in (8, 4)
    rewritten = QuantisedTables(8 if bits == 8 else 4, least_values=1).rewrite(graph, BST, [])
    expected = (int8_rows(table) if bits == 8 else int4_rows(table)).dequantised()[index]
    np.testing.assert_allclose(run(rewritten, {"index": index}), expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(run(graph, {"index": index}), table[index])


def test_a_quantised_table_is_stored_in_its_bits_alone() -> None:
    table = np.random.default_rng(0).normal(size=(4000, 64)).astype(np.float32)
    graph = lookup_graph(table, 1)
    eight, four = (QuantisedTables(bits).rewrite(graph, BST, []) for bits in (8, 4))
    onnx.checker.check_model(eight)
    onnx.checker.check_model(four)
    assert graph.ByteSize() > 4 * 64 * 4000
    assert eight.ByteSize() < (64 + 4) * 4000 + 1000
    assert four.ByteSize() < (32 + 8) * 4000 + 1500


def test_only_tables_read_by_rows_alone_are_taken() -> None:
    wide = np.ones((300, 64), np.float32)
    graph = lookup_graph(wide, 1)
    assert set(gathered_tables(graph, 1)) == {"table"}
    assert gathered_tables(graph, 300 * 64 + 1) == {}
    graph.graph.node.append(helper.make_node("Transpose", ["table"], ["turned"]))
    assert gathered_tables(graph, 1) == {}
    with pytest.raises(NotApplicable, match="no gathered float32 table has 1 values or more"):
        QuantisedTables(8, least_values=1).rewrite(graph, BST, [])
    by_column = lookup_graph(wide, 1)
    by_column.graph.node[0].attribute[0].i = 1
    assert gathered_tables(by_column, 1) == {}
    with pytest.raises(NotApplicable, match="in rows of 65 or more"):
        QuantisedTables(8, least_width=65).rewrite(lookup_graph(wide, 1), BST, [])


def lookup_graph(table: np.ndarray, index_axes: int) -> onnx.ModelProto:
    """Rows of `table` by `index`, int64 with that many axes of open size."""
    open_axes = [f"a{axis}" for axis in range(index_axes)]
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "index"], ["row"], "look", axis=0)],
        "lookup",
        [helper.make_tensor_value_info("index", TensorProto.INT64, open_axes)],
        [helper.make_tensor_value_info("row", TensorProto.FLOAT, [*open_axes, table.shape[1]])],
        [numpy_helper.from_array(table, "table")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
