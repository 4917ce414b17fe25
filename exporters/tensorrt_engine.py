"""Building and asking a TensorRT engine through TensorRT's own Python API (10 or newer).

tensorrt and CUDA are looked for when they are needed: nothing else of Shopfront has to have them.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from exporters.errors import ExportRefused
from exporters.runner import Feeds, Runner
from exporters.tensorrt_graph import Sizes
from exporters.tensorrt_settings import TensorRtSettings
from triton_repo.contract import Contract

OLDEST_MAJOR = 10


@dataclass(frozen=True, slots=True)
class Builder:
    """What an engine is made with, and belongs to: an engine runs on no other kind of GPU, nor version."""

    tensorrt: str
    gpu: str


def missing() -> list[str]:
    """What this machine lacks to build and run an engine, and what to do about it; empty where nothing."""
    lacking = []
    if find_spec("tensorrt") is None:
        lacking.append("the Python package tensorrt (pip install 'shopfront[tensorrt]')")
    else:
        version = str(import_module("tensorrt").__version__)
        if int(version.split(".")[0]) < OLDEST_MAJOR:
            lacking.append(f"TensorRT {OLDEST_MAJOR} or newer, this is {version} (pip install -U tensorrt)")
    if not torch.backends.cuda.is_built():
        lacking.append(f"a torch built with CUDA, this is {torch.__version__} (install torch's CUDA wheel)")
    elif not torch.cuda.is_available():
        lacking.append("an NVIDIA GPU and its driver (nvidia-smi must list one)")
    return lacking


def find_builder() -> Builder:
    """Names this machine's TensorRT and GPU; ExportRefused naming everything that is missing."""
    lacking = missing()
    if lacking:
        raise ExportRefused(f"no TensorRT engine can be built here; missing: {'; '.join(lacking)}")
    return Builder(str(import_module("tensorrt").__version__), torch.cuda.get_device_name())


def build_plan(
    graph: Path, profile: Mapping[str, Sizes], settings: TensorRtSettings, timing_cache: Path
) -> bytes:
    """The serialised engine of an ONNX file, for this GPU; minutes, or seconds with a timing cache.

    timing_cache: file of what earlier builds measured; read where it exists, and written anew. Raises
    ExportRefused with what TensorRT's parser or builder said.
    """
    find_builder()
    trt: Any = import_module("tensorrt")
    logger = _Said(trt)
    builder = trt.Builder(logger.sink)
    # Since 11 every network is strongly typed, and the flag is kept only so that it may be given.
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger.sink)
    if not parser.parse_from_file(str(graph)):
        reasons = "; ".join(str(parser.get_error(position).desc()) for position in range(parser.num_errors))
        raise ExportRefused(f"TensorRT cannot read {graph}: {reasons or logger.last}")
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, settings.workspace_mib << 20)
    config.builder_optimization_level = settings.optimization_level
    shapes = builder.create_optimization_profile()
    for name, sizes in profile.items():
        shapes.set_shape(name, sizes.least, sizes.likely, sizes.most)
    config.add_optimization_profile(shapes)
    cache = config.create_timing_cache(timing_cache.read_bytes() if timing_cache.is_file() else b"")
    config.set_timing_cache(cache, ignore_mismatch=False)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise ExportRefused(f"TensorRT built no engine of {graph}: {logger.last}")
    _write(timing_cache, bytes(config.get_timing_cache().serialize()))
    return bytes(plan)


def open_plan(plan: bytes, contract: Contract) -> Runner:
    """The engine on this GPU; each call copies its inputs there and its outputs back.

    Raises ExportRefused where the engine was built by another TensorRT or for another GPU.
    """
    find_builder()
    trt: Any = import_module("tensorrt")
    logger = _Said(trt)
    engine = trt.Runtime(logger.sink).deserialize_cuda_engine(plan)
    if engine is None:
        raise ExportRefused(f"TensorRT cannot open the engine: {logger.last}; build it again on this machine")
    context = engine.create_execution_context()
    stream = torch.cuda.Stream()

    def run(feeds: Feeds) -> dict[str, NDArray[Any]]:
        with torch.cuda.stream(stream):
            inputs = {name: torch.from_numpy(values).cuda() for name, values in feeds.items()}
            for name, tensor in inputs.items():
                if not context.set_input_shape(name, tuple(tensor.shape)):
                    raise ExportRefused(
                        f"{contract.model}: {name} of shape {list(tensor.shape)} is outside what the engine"
                        " was built for; raise export.tensorrt.max_shoppers or max_candidates"
                    )
                context.set_tensor_address(name, tensor.data_ptr())
            outputs = {
                tensor.name: torch.empty(
                    tuple(context.get_tensor_shape(tensor.name)),
                    dtype=getattr(torch, tensor.dtype),
                    device="cuda",
                )
                for tensor in contract.tensors.outputs
            }
            for name, output in outputs.items():
                context.set_tensor_address(name, output.data_ptr())
            if not context.execute_async_v3(stream.cuda_stream):
                raise ExportRefused(f"{contract.model}: the engine failed: {logger.last}")
            answer = {name: output.cpu() for name, output in outputs.items()}
        return {name: np.asarray(output.numpy()) for name, output in answer.items()}

    return run


class _Said:
    """TensorRT's logger, remembering the last error: its calls answer None and tell the log why."""

    def __init__(self, trt: Any) -> None:
        said = self
        self.last = "it gave no reason"

        class Sink(trt.ILogger):  # type: ignore[misc]
            def __init__(self) -> None:
                trt.ILogger.__init__(self)

            def log(self, severity: Any, message: str) -> None:
                if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
                    said.last = message

        self.sink = Sink()


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with fresh.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(path)
