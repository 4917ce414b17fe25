"""Export to ONNX."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

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
from exporters.graph_files import MODEL_FILE, fit_one_file, load_graph, save_graph
from exporters.input_cases import InputCase, Words, random_feeds
from exporters.runner import Feeds, Runner
from exporters.static_shapes import write_shapes_down
from exporters.string_inputs import add_vocabularies
from triton_repo.contract import Contract
from triton_repo.tensors import Tensor

OPSET = 18
"""Opset 18 and the IR version that comes with it are read by every ONNX Runtime since 1.14 (2023)."""


@runtime_checkable
class WritesGraph(Protocol):
    """A network with operators that torch does not have, such as a forest."""

    def onnx_graph(self) -> onnx.ModelProto:
        """The graph with the declared inputs and outputs."""
        ...


class OnnxFormat:
    """float32 ONNX, for ONNX Runtime on CPU and GPU.

    Constants are folded here; operators are fused by ONNX Runtime when it loads the graph, for the machine it
    runs on. A graph fused here could only be read by this version of ONNX Runtime.
    """

    tools: Sequence[str] = ("torch", "onnx", "onnxscript", "onnxruntime")

    def write(
        self,
        module: nn.Module,
        contract: Contract,
        samples: Sequence[InputCase],
        folder: Path,
        words: Words | None = None,
    ) -> None:
        """Writes the graph: inputs and outputs as the contract names them, named sizes left open.

        A module that makes its own graph (`WritesGraph`) is not traced. Any other takes the codes of a bytes
        input; the graph takes the words themselves. Raises ExportRefused where the graph's tensors are not
        the declared ones.
        """
        del samples
        if isinstance(module, WritesGraph):
            graph = module.onnx_graph()
            onnx.checker.check_model(graph)
            save_graph(graph, folder)
            check_signature(graph, contract)
            return
        words = words or {}
        unknown = [t.name for t in contract.tensors.inputs if t.dtype == "bytes" and t.name not in words]
        if unknown:
            raise ExportRefused(
                f"{contract.model} declares the bytes inputs {', '.join(unknown)}, for which its `words`"
                " gives no vocabulary; return the words that the network knows"
            )
        # Sizes 0 and 1 would be taken for constants of the graph, and equal ones for the same axis.
        example = random_feeds(contract, shoppers=3, candidates=7, items=2, seed=0)
        feeds = {
            name: torch.zeros(values.shape, dtype=torch.int64) if name in words else torch.from_numpy(values)
            for name, values in example.items()
        }
        axes = {
            tensor.name: {
                axis: size if isinstance(size, str) else f"{tensor.name}_{axis}"
                for axis, size in enumerate(tensor.shape)
                if isinstance(size, str) or size == -1
            }
            for tensor in contract.tensors.inputs
        }
        with torch.no_grad(), _quiet():
            program = torch.onnx.export(
                module.eval(),
                (),
                kwargs=feeds,
                dynamo=True,
                dynamic_shapes=axes,
                output_names=list(contract.outputs),
                opset_version=OPSET,
                optimize=False,
                verbose=False,
            )
        if program is None:
            raise ExportRefused(f"{contract.model}: torch.onnx.export returned no graph")
        _simplify(program.model)
        constants = (each.const_value for each in program.model.graph.initializers.values())
        in_one = fit_one_file(sum(each.nbytes for each in constants if each is not None))
        program.save(folder / MODEL_FILE, external_data=not in_one)
        graph = load_graph(folder)
        if words:
            add_vocabularies(graph, words)
        if words or not in_one:
            save_graph(graph, folder)
        check_signature(graph, contract)

    def open(self, folder: Path, contract: Contract) -> Runner:
        """ONNX Runtime on the CPU, one thread."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        session = ort.InferenceSession(folder / MODEL_FILE, options, providers=["CPUExecutionProvider"])

        names = list(contract.outputs)
        texts = [tensor.name for tensor in contract.tensors.inputs if tensor.dtype == "bytes"]

        def run(feeds: Feeds) -> dict[str, NDArray[Any]]:
            given = dict(feeds)
            for name in texts:
                given[name] = _decoded(given[name])
            return dict(zip(names, map(np.asarray, session.run(names, given)), strict=True))

        return run


def _decoded(words: NDArray[Any]) -> NDArray[Any]:
    """Bytes as text, which is what ONNX Runtime takes; what is not UTF-8 is in no vocabulary."""
    texts = np.empty(words.shape, dtype=object)
    texts.ravel()[:] = [bytes(word).decode(errors="replace") for word in words.ravel()]
    return texts


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


def check_signature(graph: onnx.ModelProto, contract: Contract) -> None:
    """Raises ExportRefused unless the graph's tensors are the contract's, with the named sizes left open."""
    for kind, tensors, declared in (
        ("input", graph.graph.input, contract.tensors.inputs),
        ("output", graph.graph.output, contract.tensors.outputs),
    ):
        found = {tensor.name: tensor.type.tensor_type for tensor in tensors}
        names = [tensor.name for tensor in declared]
        if set(found) != set(names):
            raise ExportRefused(
                f"{contract.model}: the graph has {kind}s {sorted(found)}, its model declares"
                f" {sorted(names)}; declare in `tensors` what the network takes and returns"
            )
        for tensor in declared:
            exported = found[tensor.name]
            sizes = [axis.dim_value if axis.HasField("dim_value") else -1 for axis in exported.shape.dim]
            if exported.elem_type != _CODES[tensor.dtype] or not _fits(sizes, tensor):
                raise ExportRefused(
                    f"{contract.model}: {kind} {tensor.name} of the graph is"
                    f" {onnx.TensorProto.DataType.Name(exported.elem_type)}{sizes}, its model declares"
                    f" {tensor}; correct the declaration in `tensors`, or what the network returns"
                )


def _fits(sizes: Sequence[int], declared: Tensor) -> bool:
    """Named sizes must be open, numbers the same; a free one may be either."""
    return len(sizes) == len(declared.shape) and all(
        size == -1 if isinstance(wanted, str) else wanted in (-1, size)
        for size, wanted in zip(sizes, declared.shape, strict=True)
    )


_CODES = {
    "bool": onnx.TensorProto.BOOL,
    "uint8": onnx.TensorProto.UINT8,
    "int8": onnx.TensorProto.INT8,
    "int32": onnx.TensorProto.INT32,
    "int64": onnx.TensorProto.INT64,
    "float16": onnx.TensorProto.FLOAT16,
    "float32": onnx.TensorProto.FLOAT,
    "float64": onnx.TensorProto.DOUBLE,
    "bytes": onnx.TensorProto.STRING,
}
"""Types as ONNX numbers them."""
