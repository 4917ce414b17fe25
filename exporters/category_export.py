"""Writes the small network that names categories as ONNX, in float32 and in int8."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from numpy.typing import NDArray
from torch import nn

from exporters.graph_files import load_graph
from exporters.onnx_export import OnnxFormat
from models.category_network import SIDES
from snapshot.durable_files import sync_file, sync_folder
from triton_repo.contract import Contract
from triton_repo.tensors import Tensor, Tensors

INPUT = "pictures"


def write_float32(network: nn.Module, path: Path, outputs: Mapping[str, tuple[int, ...]]) -> None:
    """Writes a network whose input is pictures uint8[B, 128, 96, 3] as one file, however large it is.

    `outputs`: the sizes of each output float32[B, …], by the name it gets.
    """
    tensors = Tensors(
        (Tensor(INPUT, "uint8", ("B", *SIDES, 3)),),
        tuple(Tensor(name, "float32", ("B", *sizes)) for name, sizes in outputs.items()),
    )
    with TemporaryDirectory(dir=path.parent) as folder:
        OnnxFormat().write(network, Contract("category_network", tensors), [], Path(folder))
        # Of a large graph the constants lie apart, in a file that would be left in the folder.
        whole = Path(folder) / "whole.onnx"
        onnx.save(load_graph(Path(folder)), whole)
        _take_over(whole, path)


def write_int8(source: Path, path: Path, examples: NDArray[np.uint8], kept: int) -> None:
    """Writes a float32 graph with weights and activations of 8 bits, one scale per output channel.

    Args:
        source: written by `write_float32`.
        path: where to.
        examples: uint8[n, 128, 96, 3], by which the ranges of activations are measured.
        kept: convolutions at the start that stay float32. They have hardly any weights, and maps whose
            channels span very different ranges, which one scale of 8 bits for a whole map does not hold.
    """
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Examples(CalibrationDataReader):  # type: ignore[misc]
        """Gives the examples, 16 at a time."""

        def __init__(self) -> None:
            self._parts = iter(np.array_split(examples, max(1, len(examples) // 16)))

        def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
            part = next(self._parts, None)
            return None if part is None else {INPUT: part}

    prepared = path.with_name(f".{path.name}.{os.getpid()}.prepared")
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        nodes = onnx.load(prepared).graph.node
        quantize_static(
            prepared,
            temporary,
            Examples(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            weight_type=QuantType.QInt8,
            activation_type=QuantType.QUInt8,
            calibrate_method=CalibrationMethod.MinMax,
            nodes_to_exclude=[node.name for node in nodes if node.op_type == "Conv"][:kept],
        )
        _take_over(temporary, path)
    finally:
        prepared.unlink(missing_ok=True)


def _take_over(temporary: Path, path: Path) -> None:
    sync_file(temporary)
    temporary.replace(path)
    sync_folder(path.parent)
