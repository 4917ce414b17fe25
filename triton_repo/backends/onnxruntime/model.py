"""The embedded server's `onnxruntime` backend: ONNX Runtime inside Triton's Python backend.

Triton's *Python-based backends* let this folder answer for `backend: "onnxruntime"`, so a model
configuration is served unchanged here and by the C++ ONNX Runtime backend of NVIDIA's container. One
process per model instance runs this file; nothing of Shopfront is imported in it.

Tensors cross by DLPack: the `as_numpy()` of this server is compiled against numpy 1 and answers empty
arrays under numpy 2. DLPack has no text: see `string_inputs`. Text outputs are refused.
"""

from __future__ import annotations

import ctypes
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import separate_process
import shoppers_apart
import string_inputs
import triton_python_backend_utils as pb_utils

if TYPE_CHECKING:
    import onnxruntime as ort

_TEXT = "TYPE_STRING"
_DTYPES = {
    "TYPE_BOOL": np.bool_,
    "TYPE_UINT8": np.uint8,
    "TYPE_INT8": np.int8,
    "TYPE_INT32": np.int32,
    "TYPE_INT64": np.int64,
    "TYPE_FP16": np.float16,
    "TYPE_FP32": np.float32,
    "TYPE_FP64": np.float64,
    _TEXT: np.object_,
}


class TritonPythonModel:
    """One instance of one version of a model."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Loads `<version>/model.onnx` and checks that it has the tensors the configuration names.

        With the parameter `opened` of `when_called`, only the check is made, in a process that ends.
        """
        config = json.loads(args["model_config"])
        self.path = path = Path(args["model_repository"], args["model_version"], "model.onnx")
        self.parameters = config["parameters"]
        if not path.is_file():
            raise pb_utils.TritonModelException(f"{path} is missing")
        self.session: ort.InferenceSession | None = None
        self.rows = _text(config["parameters"], "rows_input")
        self.of_candidates = _text(config["parameters"], "inputs_of_candidates").split(",")
        self.inputs = {tensor["name"]: _DTYPES[tensor["data_type"]] for tensor in config["input"]}
        self.outputs = [tensor["name"] for tensor in config["output"]]
        texts = [tensor["name"] for tensor in config["output"] if tensor["data_type"] == _TEXT]
        if texts:
            raise pb_utils.TritonModelException(
                f"the embedded server cannot answer text, and {', '.join(texts)} is declared as bytes; answer"
                " codes (int64), or serve the model by NVIDIA's container"
            )
        if np.object_ in self.inputs.values():
            string_inputs.repair()
        if _text(self.parameters, "opened") == "when_called":
            failure = separate_process.failure_of(self._opened)
            if failure:
                raise pb_utils.TritonModelException(failure)
        else:
            self.session = self._opened()

    def _opened(self) -> ort.InferenceSession:
        """The graph; raises where it cannot be read or has other tensors than the configuration names."""
        # Only a process that runs a graph pays for the library.
        import onnxruntime

        session = onnxruntime.InferenceSession(
            self.path, session_options(self.parameters), providers=["CPUExecutionProvider"]
        )
        for kind, declared, found in (
            ("inputs", set(self.inputs), {tensor.name for tensor in session.get_inputs()}),
            ("outputs", set(self.outputs), {tensor.name for tensor in session.get_outputs()}),
        ):
            if declared - found or (kind == "inputs" and found - declared):
                raise pb_utils.TritonModelException(
                    f"{self.path} has {kind} {sorted(found)}, config.pbtxt names {sorted(declared)}"
                )
        return session

    def execute(self, requests: Sequence[pb_utils.InferenceRequest]) -> list[pb_utils.InferenceResponse]:
        """Answers each request on its own; one that fails does not touch the others."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: pb_utils.InferenceRequest) -> pb_utils.InferenceResponse:
        wanted = [name for name in self.outputs if name in request.requested_output_names()]
        try:
            # The arrays are views of the request's shared memory, which lives until the answer is sent.
            feeds = {
                name: _from_tensor(pb_utils.get_input_tensor_by_name(request, name), dtype)
                for name, dtype in self.inputs.items()
            }
            results = self._run(wanted, feeds)
        except Exception as error:
            return pb_utils.InferenceResponse(error=_triton_error(error))
        return pb_utils.InferenceResponse(
            [_to_tensor(name, result) for name, result in zip(wanted, results, strict=True)]
        )

    def _run(self, wanted: list[str], feeds: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        session = self.session = self.session or self._opened()

        def run(given: Mapping[str, np.ndarray]) -> list[np.ndarray]:
            return list(session.run(wanted, given))

        if not self.rows:
            return run(feeds)
        return list(shoppers_apart.run_apart(run, feeds, self.rows, self.of_candidates))


def _text(parameters: Mapping[str, Mapping[str, str]], key: str) -> str:
    return parameters.get(key, {}).get("string_value", "")


def session_options(parameters: Mapping[str, Mapping[str, str]]) -> ort.SessionOptions:
    """ONNX Runtime's options from the parameters the C++ backend documents; others are ignored, as there."""
    import onnxruntime as ort

    def number(key: str, default: int) -> int:
        value = _text(parameters, key)
        return int(value) if value else default

    options = ort.SessionOptions()
    options.log_severity_level = 4  # what fails is answered to the caller
    options.intra_op_num_threads = number("intra_op_thread_count", 0)
    options.inter_op_num_threads = number("inter_op_thread_count", 0)
    options.execution_mode = (
        ort.ExecutionMode.ORT_PARALLEL if number("execution_mode", 0) else ort.ExecutionMode.ORT_SEQUENTIAL
    )
    options.enable_cpu_mem_arena = bool(number("enable_mem_arena", 1))
    options.enable_mem_pattern = bool(number("enable_mem_pattern", 1))
    return options


def _from_tensor(tensor: pb_utils.Tensor, dtype: type) -> np.ndarray:
    shape = tensor.shape()
    if 0 in shape:
        return np.empty(shape, dtype)
    if dtype is np.object_:
        return np.asarray(string_inputs.text(tensor))
    return np.from_dlpack(tensor)


def _to_tensor(name: str, array: np.ndarray) -> pb_utils.Tensor:
    array = np.ascontiguousarray(array)
    if array.size == 0:
        # Numpy gives an empty array strides of 0, which this server takes for gaps.
        array = np.empty((1, *array.shape[1:]), array.dtype)[:0]
    capsule = array.__dlpack__()
    tensor = pb_utils.Tensor.from_dlpack(name, capsule)
    # The tensor owns the array now, but this server marks the capsule with a name of its own, which numpy
    # does not know and complains about on stderr at every answer. This is the name DLPack prescribes.
    _set_capsule_name(capsule, _CONSUMED)
    return tensor


_CONSUMED = b"used_dltensor"  # PyCapsule_SetName keeps the pointer: it must live as long as the process.
_set_capsule_name = ctypes.pythonapi.PyCapsule_SetName
_set_capsule_name.argtypes = [ctypes.py_object, ctypes.c_char_p]
_set_capsule_name.restype = ctypes.c_int


def _triton_error(error: Exception) -> pb_utils.TritonError:
    message = " ".join(f"{type(error).__name__}: {error}".split())
    # ONNX Runtime's class of this name, without importing it where no graph is open.
    invalid = type(error).__name__ == "InvalidArgument"
    return pb_utils.TritonError(
        message, pb_utils.TritonError.INVALID_ARG if invalid else pb_utils.TritonError.INTERNAL
    )
