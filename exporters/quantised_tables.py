"""Embedding tables in 8 or 4 bits, dequantised after the gather: only the rows asked for become float32.

Every operator is in ONNX's own domain and without bit shifts, which ONNX Runtime's CUDA back end lacks.
(ONNX Runtime's own GatherBlockQuantized does the same in one step and takes two to three times as long.)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from exporters.detached_constants import attach, detach, drop_unread_constants
from exporters.graph_rewrite import NotApplicable
from exporters.input_cases import InputCase
from exporters.row_wise import int4_rows, int8_rows
from triton_repo.contract import Contract

SIXTEENTH, SIXTEEN = "row_wise.sixteenth", "row_wise.sixteen"
FIRST, LAST_AXIS = "row_wise.first", "row_wise.last_axis"
LEAST_VALUES = 16_384
"""Smaller tables (64 KiB in float32) lie in a core's own cache anyway."""


@dataclass(frozen=True)
class QuantisedTables:
    """Rewrites every `Gather` of rows from a large float32 table.

    A table has at least `least_values` values, its rows are at least `least_width` wide: what dequantising
    costs, wide rows save by being fetched faster.
    """

    bits: Literal[8, 4]
    least_values: int = LEAST_VALUES
    least_width: int = 1
    tools: Sequence[str] = ("onnx",)

    def rewrite(
        self, graph: onnx.ModelProto, contract: Contract, samples: Sequence[InputCase]
    ) -> onnx.ModelProto:
        """The graph with those tables quantised row by row; NotApplicable where there is none."""
        del contract, samples
        tables = {
            name: table
            for name, table in gathered_tables(graph, self.least_values).items()
            if table.shape[1] >= self.least_width
        }
        if not tables:
            raise NotApplicable(
                f"no gathered float32 table has {self.least_values:,} values or more in rows of"
                f" {self.least_width} or more"
            )
        fresh, others = detach(graph)
        kept = [tensor for tensor in fresh.graph.initializer if tensor.name not in tables]
        flat = _flat_indices(fresh)
        constants: list[onnx.TensorProto] = []
        nodes: list[onnx.NodeProto] = []
        for name, table in tables.items():
            constants += self._stored(name, table)
        for node in fresh.graph.node:
            if node.op_type == "Gather" and node.input[0] in tables:
                width = tables[node.input[0]].shape[1]
                nodes += self._gathered(node, node.input[0], width, flat=node.input[1] in flat)
            else:
                nodes.append(node)
        constants += [
            numpy_helper.from_array(np.array(1 / 16, np.float32), SIXTEENTH),
            numpy_helper.from_array(np.array(16, np.float32), SIXTEEN),
            numpy_helper.from_array(np.array([0], np.int64), FIRST),
            numpy_helper.from_array(np.array([-1], np.int64), LAST_AXIS),
        ]
        nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
        del fresh.graph.initializer[:], fresh.graph.node[:]
        fresh.graph.initializer.extend([*kept, *constants])
        fresh.graph.node.extend(nodes)
        whole = attach(fresh, others)
        drop_unread_constants(whole)
        return whole

    def _stored(self, name: str, table: NDArray[np.float32]) -> list[onnx.TensorProto]:
        if self.bits == 8:
            rows = int8_rows(table)
            scale = rows.scale[:, 0]
            parts: dict[str, NDArray[np.generic]] = {
                "rows": rows.values,
                "scale": np.ascontiguousarray(scale),
            }
        else:
            packed = int4_rows(table)
            parts = {"rows": packed.packed, "scale": packed.scale, "low": packed.low}
            if packed.width % 2:
                parts["width"] = np.array([packed.width], np.int64)
        return [numpy_helper.from_array(values, f"{name}.{part}") for part, values in parts.items()]

    def _gathered(self, node: onnx.NodeProto, name: str, width: int, *, flat: bool) -> list[onnx.NodeProto]:
        """The nodes in the place of one gather of table `name`; what follows sees the same float32 tensor.

        flat: whether the index has one axis, so that the scale of each row is DequantizeLinear's per axis.
        """
        index, output = node.input[1], node.output[0]
        made: list[onnx.NodeProto] = []

        def add(op: str, *inputs: str, result: str = "", **attributes: int | list[int]) -> str:
            result = result or f"{output}.row_wise_{len(made)}"
            made.append(helper.make_node(op, list(inputs), [result], f"{result}.{op}", **attributes))
            return result

        stored = add("Gather", f"{name}.rows", index, axis=0)
        scale = add("Gather", f"{name}.scale", index, axis=0)
        if self.bits == 8:
            if flat:
                add("DequantizeLinear", stored, scale, result=output, axis=0)
            else:
                column = add("Unsqueeze", scale, LAST_AXIS)
                add("Mul", add("Cast", stored, to=onnx.TensorProto.FLOAT), column, result=output)
            return made
        both = add("Cast", stored, to=onnx.TensorProto.FLOAT)
        low = add("Gather", f"{name}.low", index, axis=0)
        second = add("Floor", add("Mul", both, SIXTEENTH))
        first = add("Sub", both, add("Mul", second, SIXTEEN))
        code = add("Concat", first, second, axis=-1)
        if width % 2:
            code = add("Slice", code, FIRST, f"{name}.width", LAST_AXIS)
        add("Add", add("Mul", code, scale), low, result=output)
        return made


def gathered_tables(graph: onnx.ModelProto, least_values: int) -> dict[str, NDArray[np.float32]]:
    """float32[R, d] constants of at least that many values that are read by `Gather` of whole rows alone."""
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    return {
        tensor.name: np.asarray(numpy_helper.to_array(tensor))
        for tensor in graph.graph.initializer
        if tensor.data_type == onnx.TensorProto.FLOAT
        and len(tensor.dims) == 2
        and int(np.prod(tensor.dims)) >= least_values
        and readers.get(tensor.name)
        and all(_takes_rows(node, tensor.name) for node in readers[tensor.name])
    }


def _takes_rows(node: onnx.NodeProto, table: str) -> bool:
    axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 0)
    return node.op_type == "Gather" and node.input[0] == table and axis in (0, -2)


def _flat_indices(graph: onnx.ModelProto) -> set[str]:
    """Names of the tensors that are known to have one axis."""
    known = onnx.shape_inference.infer_shapes(graph).graph
    return {
        tensor.name
        for tensor in (*known.input, *known.value_info)
        if tensor.type.tensor_type.HasField("shape") and len(tensor.type.tensor_type.shape.dim) == 1
    }
