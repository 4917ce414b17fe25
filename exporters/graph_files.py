"""A graph as files: `model.onnx`, and beside it its large constants where these are many bytes.

ONNX Runtime maps constants that lie apart, where it copies those of one file: processes that run a graph
share the tables of items, and several forms of a graph can be open at once without as many copies.
"""

from pathlib import Path

import onnx

MODEL_FILE = "model.onnx"
CONSTANTS_FILE = "model.onnx.data"
ONE_FILE_BYTES = 8 << 20
"""Of constants; a graph with more is two files. Protobuf would refuse one of 2 GiB."""
LEAST_BYTES = 1 << 20
"""Smaller constants stay in the graph's own file, where tools read them."""
_READABLE = 0o644
"""Triton may run as another user than the export; onnx writes constants for the owner alone."""


def fit_one_file(constant_bytes: int) -> bool:
    """Whether a graph with constants of so many bytes may be one file.

    Example:
        >>> fit_one_file(1 << 20), fit_one_file(1 << 24)
        (True, False)
    """
    return constant_bytes <= ONE_FILE_BYTES


def save_graph(graph: onnx.ModelProto, folder: Path) -> Path:
    """Writes `model.onnx`, and `model.onnx.data` where the graph is large, in the place of what is there.

    The graph itself is left as it is. Returns the path of `model.onnx`, which every reader opens; it names
    the other file by its name alone, so both can be moved together.
    """
    path, constants = folder / MODEL_FILE, folder / CONSTANTS_FILE
    # onnx appends to a file of constants that is there.
    constants.unlink(missing_ok=True)
    if fit_one_file(sum(tensor.ByteSize() for tensor in graph.graph.initializer)):
        onnx.save(graph, path)
        return path
    apart = onnx.ModelProto()
    apart.CopyFrom(graph)
    onnx.save_model(
        apart, path, save_as_external_data=True, location=CONSTANTS_FILE, size_threshold=LEAST_BYTES
    )
    constants.chmod(_READABLE)
    return path


def load_graph(folder: Path) -> onnx.ModelProto:
    """The graph of `model.onnx` with every constant in memory.

    Raises FileNotFoundError without the file, google.protobuf.message.DecodeError where it is no graph.
    """
    return onnx.load(folder / MODEL_FILE)
