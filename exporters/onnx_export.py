"""Export to one ONNX file with its weights inside."""

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import onnx_ir.passes.common as passes
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from onnxscript import optimizer
from torch import nn

from exporters.errors import ExportRefused
from exporters.input_cases import InputCase, random_feeds
from exporters.runner import Runner
from exporters.static_shapes import write_shapes_down
from triton_repo.contract import Contract

OPSET = 18
"""Opset 18 and the IR version that comes with it are read by every ONNX Runtime since 1.14 (2023)."""
MODEL_FILE = "model.onnx"


class OnnxFormat:
    """float32 ONNX, for ONNX Runtime on CPU and GPU.

    Constants are folded here; operators are fused by ONNX Runtime when it loads the graph, for the machine it
    runs on. A graph fused here could only be read by this version of ONNX Runtime.
    """

    tools: Sequence[str] = ("torch", "onnx", "onnxscript", "onnxruntime")

    def write(
        self, module: nn.Module, contract: Contract, samples: Sequence[InputCase], folder: Path
    ) -> None:
        """Writes `model.onnx`: inputs and output as the contract names them, B and n left open."""
        del samples
        # Sizes 0 and 1 would be taken for constants of the graph, and equal ones for the same axis.
        example = random_feeds(contract, shoppers=3, candidates=7, items=2, seed=0)
        feeds = {name: torch.from_numpy(values) for name, values in example.items()}
        axes = {name: {0: "n" if name.startswith("candidate") else "B"} for name in feeds}
        with torch.no_grad(), _quiet():
            program = torch.onnx.export(
                module.eval(),
                (),
                kwargs=feeds,
                dynamo=True,
                dynamic_shapes=axes,
                output_names=[contract.output],
                opset_version=OPSET,
                optimize=False,
                verbose=False,
            )
        if program is None:
            raise ExportRefused(f"{contract.model}: torch.onnx.export returned no graph")
        _simplify(program.model)
        program.save(folder / MODEL_FILE, external_data=False)
        _check_signature(onnx.load(folder / MODEL_FILE), contract)

    def open(self, folder: Path, contract: Contract) -> Runner:
        """ONNX Runtime on the CPU, one thread."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        session = ort.InferenceSession(folder / MODEL_FILE, options, providers=["CPUExecutionProvider"])

        def run(feeds: Mapping[str, NDArray[np.int32]]) -> NDArray[np.float32]:
            (output,) = session.run([contract.output], dict(feeds))
            return np.asarray(output)

        return run


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps torch from telling about torchvision, its own deprecations, and axes that share a name."""
    log = logging.getLogger("torch.onnx")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*axis name", category=UserWarning)
            warnings.filterwarnings("ignore", category=FutureWarning)
            yield
    finally:
        log.setLevel(before)


def _simplify(graph: ir.Model) -> None:
    """Folds constants, writes shapes down and merges equal nodes, in place.

    torch's own `optimize=True` also runs onnxscript's rewrite rules, which take the addition of any number
    below 1e-8 for one of 0: an epsilon under a square root goes, and a zero vector becomes NaN.
    """
    passes.InlinePass()(graph)
    optimizer.fold_constants(graph)
    ir.passes.Sequential(
        passes.RemoveUnusedNodesPass(),
        passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0),
        passes.DeduplicateInitializersPass(),
        passes.CommonSubexpressionEliminationPass(),
    )(graph)
    write_shapes_down(graph)
    ir.passes.Sequential(
        passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0),
        passes.DeduplicateInitializersPass(),
        passes.CommonSubexpressionEliminationPass(),
        passes.RemoveUnusedNodesPass(),
    )(graph)


def _check_signature(graph: onnx.ModelProto, contract: Contract) -> None:
    """Raises ExportRefused unless the graph's tensors are the contract's, with the sizes left open."""
    for kind, tensors, declared, code in (
        ("input", graph.graph.input, contract.inputs, onnx.TensorProto.INT32),
        ("output", graph.graph.output, {contract.output: contract.output_dims}, onnx.TensorProto.FLOAT),
    ):
        found = {tensor.name: tensor.type.tensor_type for tensor in tensors}
        if set(found) != set(declared):
            raise ExportRefused(
                f"{contract.model}: the graph has {kind}s {sorted(found)}, config.pbtxt names"
                f" {sorted(declared)}"
            )
        for name, dims in declared.items():
            sizes = [axis.dim_value if axis.HasField("dim_value") else -1 for axis in found[name].shape.dim]
            fits = len(sizes) == len(dims) and all(
                size == wanted or (wanted == -1 and position > 0)
                for position, (size, wanted) in enumerate(zip(sizes, dims, strict=False))
            )
            if found[name].elem_type != code or not fits:
                raise ExportRefused(
                    f"{contract.model}: {kind} {name} of the graph is"
                    f" {onnx.TensorProto.DataType.Name(found[name].elem_type)}{sizes}, config.pbtxt says"
                    f" {onnx.TensorProto.DataType.Name(code)}{list(dims)}"
                )
