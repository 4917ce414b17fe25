"""What an ONNX graph must be for TensorRT, checked without TensorRT: its operators, its sizes, its scales."""

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import numpy_helper
from onnxruntime.quantization import QuantType

from exporters.float16 import Float16
from exporters.graph_rewrite import GraphRewrite
from exporters.int8_matmul import StaticInt8
from exporters.tensorrt_settings import Precision, TensorRtSettings
from triton_repo.contract import Contract
from triton_repo.tensors import Tensor

REWRITES: dict[Precision, GraphRewrite | None] = {
    "float32": None,
    "float16": Float16(),
    "int8": StaticInt8(activations=QuantType.QInt8, symmetric=True),
}
"""How each precision is written into the graph.

Networks are strongly typed: TensorRT computes in the types it reads. Its calibrators are deprecated since
10.1 and gone in 11; INT8 is read from Q/DQ pairs.
"""

_LISTED = """
    Abs Add And ArgMax ArgMin Cast Ceil Clip Concat Constant ConstantOfShape CumSum DequantizeLinear Div
    Einsum Elu Equal Erf Exp Expand Flatten Floor Gather GatherElements GatherND Gemm Greater GreaterOrEqual
    Identity IsNaN LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax MatMul Max Mean Min Mul Neg
    Not Or Pad Pow QuantizeLinear Range ReduceL2 ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
    ReduceSumSquare Relu Reshape Round ScatterElements ScatterND Shape Sigmoid Sign Size Slice Softmax Split
    Sqrt Squeeze Sub Sum Tanh Tile TopK Transpose Unsqueeze Where Xor
"""
OPERATORS = frozenset(_LISTED.split())
"""ONNX operators that TensorRT's parser publishes as supported (onnx-tensorrt, docs/operators.md): those
that a ranking graph may hold."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Shapes of one input in the engine's optimization profile."""

    least: tuple[int, ...]
    likely: tuple[int, ...]
    most: tuple[int, ...]


def profile(contract: Contract, settings: TensorRtSettings) -> dict[str, Sizes]:
    """The sizes of every input: B shoppers and n candidates, each from 1; an engine takes no empty call."""

    def sizes(tensor: Tensor) -> Sizes:
        of_candidates, dims = tensor.shape[:1] == ("n",), tensor.dims
        likely = settings.likely_candidates if of_candidates else settings.likely_shoppers
        most = settings.max_candidates if of_candidates else settings.max_shoppers
        return Sizes((1, *dims[1:]), (likely, *dims[1:]), (most, *dims[1:]))

    return {tensor.name: sizes(tensor) for tensor in contract.tensors.inputs}


def obstacles(graph: onnx.ModelProto) -> list[str]:
    """What in the graph TensorRT is known not to take, one phrase each; empty where nothing is.

    Operators outside its published list or ONNX's own domain; Q/DQ nodes whose scale is computed or whose
    zero point is not 0.
    """
    constants = {tensor.name: tensor for tensor in graph.graph.initializer}
    found = []
    unknown = sorted(
        {
            f"{node.domain}.{node.op_type}" if node.domain else node.op_type
            for node in graph.graph.node
            if node.domain not in ("", "ai.onnx") or node.op_type not in OPERATORS
        }
    )
    if unknown:
        found.append(f"operators that TensorRT's parser does not list: {', '.join(unknown)}")
    quantising = [n for n in graph.graph.node if n.op_type in ("QuantizeLinear", "DequantizeLinear")]
    computed = sorted(node.name for node in quantising if node.input[1] not in constants)
    if computed:
        found.append(f"scales that are not constants: {', '.join(computed)}")
    shifted = sorted(
        node.name
        for node in quantising
        if len(node.input) > 2
        and node.input[2]
        and (
            node.input[2] not in constants
            or bool(np.any(np.asarray(numpy_helper.to_array(constants[node.input[2]])) != 0))
        )
    )
    if shifted:
        found.append(f"zero points other than 0: {', '.join(shifted)}")
    return found
