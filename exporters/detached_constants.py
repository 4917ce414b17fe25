"""A graph without its large constants, for tools that copy, save and search the whole graph many times.

A catalogue's tables are tens to thousands of MiB; protobuf refuses more than 2 GiB at once.
"""

from collections.abc import Collection, Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

LARGE_BYTES = 1 << 20


def detach(
    graph: onnx.ModelProto, keep: Collection[str] = ()
) -> tuple[onnx.ModelProto, dict[str, onnx.TensorProto]]:
    """A copy of the graph in which constants above 1 MiB are inputs, and those constants by name.

    Constants named in `keep` stay where they are.
    """
    moved = {
        tensor.name: tensor
        for tensor in graph.graph.initializer
        if tensor.ByteSize() > LARGE_BYTES and tensor.name not in keep
    }
    light = onnx.ModelProto()
    for field, value in graph.ListFields():
        if field.name == "graph":
            continue
        if field.is_repeated:
            getattr(light, field.name).extend(value)
        elif field.message_type is not None:
            getattr(light, field.name).CopyFrom(value)
        else:
            setattr(light, field.name, value)
    inner = light.graph
    inner.name = graph.graph.name
    inner.node.extend(graph.graph.node)
    inner.input.extend(graph.graph.input)
    inner.output.extend(graph.graph.output)
    inner.value_info.extend(graph.graph.value_info)
    inner.initializer.extend(tensor for tensor in graph.graph.initializer if tensor.name not in moved)
    inner.input.extend(
        helper.make_tensor_value_info(name, tensor.data_type, list(tensor.dims))
        for name, tensor in moved.items()
    )
    return light, moved


def attach(light: onnx.ModelProto, moved: Mapping[str, onnx.TensorProto]) -> onnx.ModelProto:
    """Puts detached constants back, in place; those that no node reads any more are left out."""
    read = {name for node in light.graph.node for name in node.input}
    inputs = [tensor for tensor in light.graph.input if tensor.name not in moved]
    del light.graph.input[:]
    light.graph.input.extend(inputs)
    light.graph.initializer.extend(tensor for name, tensor in moved.items() if name in read)
    return light


def as_arrays(moved: Mapping[str, onnx.TensorProto]) -> dict[str, NDArray[np.generic]]:
    """The detached constants as what a session of the light graph is fed."""
    return {name: np.asarray(numpy_helper.to_array(tensor)) for name, tensor in moved.items()}


def drop_unread_constants(graph: onnx.ModelProto) -> None:
    """Takes constants out that no node reads, in place."""
    read = {name for node in graph.graph.node for name in node.input}
    read |= {tensor.name for tensor in graph.graph.output}
    kept = [tensor for tensor in graph.graph.initializer if tensor.name in read]
    if len(kept) < len(graph.graph.initializer):
        del graph.graph.initializer[:]
        graph.graph.initializer.extend(kept)
