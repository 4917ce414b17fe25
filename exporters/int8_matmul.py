"""INT8 matrix products: weights per channel, activations calibrated on real inputs or measured per call.

The products are those of ONNX Runtime's quantisation tool, whose scheme is that of Jacob et al. 2018
(arXiv:1712.05877): r = scale · (q − zero), the zero point an integer.
"""

import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from exporters.detached_constants import as_arrays, attach, detach, drop_unread_constants
from exporters.graph_rewrite import NotApplicable
from exporters.input_cases import InputCase
from exporters.runner import Feeds
from triton_repo.contract import Contract

LEAST_WEIGHTS = 4096
"""A matrix with fewer weights gains less than quantising its input costs, and loses more of the order."""
CPU_FLAGS = Path("/proc/cpuinfo")


def has_vnni(cpuinfo: Path = CPU_FLAGS) -> bool:
    """Whether this CPU adds up products of 8-bit numbers without saturating in 16 bits (AVX-VNNI).

    Without it, U8S8 products need weights of 7 bits (`reduce_range`). ARM has no such trap, and no `flags`
    line: it counts as having it. So does a machine that has no such file.
    """
    try:
        text = cpuinfo.read_text()
    except OSError:
        return True
    flags = [line for line in text.splitlines() if line.startswith("flags")]
    return not flags or bool({"avx512_vnni", "avx_vnni"} & set(flags[0].split()))


def large_products(graph: onnx.ModelProto, least_weights: int = LEAST_WEIGHTS) -> dict[str, str]:
    """The MatMul nodes that multiply by a constant matrix of at least that many weights: node → matrix."""
    sizes = {
        tensor.name: int(np.prod(tensor.dims))
        for tensor in graph.graph.initializer
        if len(tensor.dims) == 2 and tensor.data_type == onnx.TensorProto.FLOAT
    }
    return {
        node.name: node.input[1]
        for node in graph.graph.node
        if node.op_type == "MatMul" and sizes.get(node.input[1], 0) >= least_weights
    }


def split_gemm(graph: onnx.ModelProto) -> None:
    """Writes every Gemm by a constant matrix as MatMul and Add, in place.

    ONNX Runtime's integer Gemm is slower than float32 at these sizes; its integer MatMul is not, and its
    dynamic quantisation knows MatMul alone. What stays float32 is put together again when it is loaded.
    """
    constants = {tensor.name: tensor for tensor in graph.graph.initializer}
    nodes: list[onnx.NodeProto] = []
    for node in graph.graph.node:
        values = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        plain = values.get("alpha", 1) == 1 and values.get("beta", 1) == 1 and not values.get("transA", 0)
        if node.op_type != "Gemm" or node.input[1] not in constants or len(node.input) < 3 or not plain:
            nodes.append(node)
            continue
        matrix = node.input[1]
        if values.get("transB", 0):
            turned = f"{matrix}.transposed"
            if turned not in constants:
                weights = np.ascontiguousarray(numpy_helper.to_array(constants[matrix]).T)
                constants[turned] = numpy_helper.from_array(weights, turned)
                graph.graph.initializer.append(constants[turned])
            matrix = turned
        product = f"{node.output[0]}.product"
        nodes.append(helper.make_node("MatMul", [node.input[0], matrix], [product], f"{node.name}.MatMul"))
        nodes.append(helper.make_node("Add", [product, node.input[2]], list(node.output), f"{node.name}.Add"))
    fresh = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.graph.node[:]
    graph.graph.node.extend(fresh)
    drop_unread_constants(graph)


@dataclass(frozen=True)
class StaticInt8:
    """Weights and activations in INT8, activations by ranges seen on real inputs.

    layout: QDQ writes quantise and dequantise nodes around float operators and every runtime fuses what it
    can; QOperator writes the integer operators themselves. activations: U8S8 (unsigned activations) is the
    fast one on x86, S8S8 on ARM. symmetric: zero points of 0 and weights behind Q/DQ pairs, as TensorRT's
    explicit quantisation asks. reduce_range: weights of 7 bits; None asks the CPU.
    """

    layout: QuantFormat = QuantFormat.QDQ
    activations: QuantType = QuantType.QUInt8
    symmetric: bool = False
    reduce_range: bool | None = None
    least_weights: int = LEAST_WEIGHTS
    tools: Sequence[str] = ("onnxruntime",)

    def rewrite(
        self, graph: onnx.ModelProto, contract: Contract, samples: Sequence[InputCase]
    ) -> onnx.ModelProto:
        """Quantises the large products; NotApplicable where there is none, or no sample to calibrate on."""
        del contract
        if not samples:
            raise NotApplicable("there is no real input to calibrate on")
        reduce_range = not has_vnni() if self.reduce_range is None else self.reduce_range
        options: dict[str, Any] = {}
        if self.symmetric:
            options = {
                "ActivationSymmetric": True,
                "WeightSymmetric": True,
                "AddQDQPairToWeight": True,
                "QuantizeBias": False,
            }
        with _prepared(graph, self.least_weights) as prepared:
            quantize_static(
                prepared.source,
                prepared.target,
                _RealInputs(samples, as_arrays(prepared.tables)),
                quant_format=self.layout,
                activation_type=self.activations,
                weight_type=QuantType.QInt8,
                per_channel=True,
                reduce_range=reduce_range and self.activations == QuantType.QUInt8,
                op_types_to_quantize=["MatMul"],
                nodes_to_quantize=list(prepared.products),
                calibrate_method=CalibrationMethod.MinMax,
                extra_options=options,
            )
            return prepared.result()


@dataclass(frozen=True)
class DynamicInt8:
    """Weights in INT8; the range of each activation is measured anew at every call."""

    reduce_range: bool | None = None
    least_weights: int = LEAST_WEIGHTS
    tools: Sequence[str] = ("onnxruntime",)

    def rewrite(
        self, graph: onnx.ModelProto, contract: Contract, samples: Sequence[InputCase]
    ) -> onnx.ModelProto:
        """Quantises the large products; NotApplicable where there is none."""
        del contract, samples
        with _prepared(graph, self.least_weights) as prepared:
            quantize_dynamic(
                prepared.source,
                prepared.target,
                op_types_to_quantize=["MatMul"],
                per_channel=True,
                reduce_range=not has_vnni() if self.reduce_range is None else self.reduce_range,
                weight_type=QuantType.QInt8,
                nodes_to_quantize=list(prepared.products),
            )
            return prepared.result()


class _RealInputs(CalibrationDataReader):  # type: ignore[misc]
    """The samples in their order, each once, with the tables that are inputs while the tool works."""

    def __init__(self, samples: Sequence[InputCase], tables: Mapping[str, NDArray[np.generic]]) -> None:
        self._feeds: Iterator[Feeds] = iter([case.feeds for case in samples])
        self._tables = tables

    def get_next(self) -> dict[str, NDArray[np.generic]] | None:
        feeds = next(self._feeds, None)
        return None if feeds is None else {**feeds, **self._tables}


@dataclass(frozen=True)
class _Prepared:
    """Files the tool reads and writes; the tables that are inputs of both; the products to quantise."""

    source: Path
    target: Path
    tables: Mapping[str, onnx.TensorProto]
    products: Mapping[str, str]

    def result(self) -> onnx.ModelProto:
        """What the tool wrote, with its tables inside again."""
        quantised = attach(onnx.load(self.target), self.tables)
        drop_unread_constants(quantised)
        return quantised


@contextmanager
def _prepared(graph: onnx.ModelProto, least_weights: int) -> Iterator[_Prepared]:
    """The graph's large products as files, for as long as the body runs; NotApplicable where it has none."""
    light, _ = detach(graph, keep=[tensor.name for tensor in graph.graph.initializer])
    split_gemm(light)
    products = large_products(light, least_weights)
    if not products:
        raise NotApplicable(f"no product with a constant matrix has {least_weights:,} weights or more")
    light, tables = detach(light, keep=products.values())
    log = logging.getLogger()
    before = log.level
    with tempfile.TemporaryDirectory(prefix="shopfront-int8-") as folder:
        plain, source, target = (Path(folder, f"{name}.onnx") for name in ("plain", "source", "target"))
        onnx.save(light, plain)
        # The tool warns of what it leaves in float32; that is decided here, by the size of the matrix.
        log.setLevel(logging.ERROR)
        try:
            quant_pre_process(plain, source, skip_optimization=True, skip_symbolic_shape=True)
            yield _Prepared(source, target, tables, products)
        finally:
            log.setLevel(before)
