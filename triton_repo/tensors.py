"""The tensors of a model: name, type and shape of every input and output, declared once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

Dtype = Literal["bool", "uint8", "int8", "int32", "int64", "float16", "float32", "float64", "bytes"]
"""Types a tensor may have; "bytes" is text of any length, as UTF-8."""

Dimension = int | str
"""A size: a number, a name for a size that differs from call to call, or -1 for one that is left free."""


class TypeNames(NamedTuple):
    """What one type is called on each side."""

    configuration: str
    """In `config.pbtxt`."""
    wire: str
    """In messages of the inference protocol."""
    numpy: np.dtype[np.generic]
    """In arrays; bytes are arrays of objects."""


DTYPES: dict[str, TypeNames] = {
    "bool": TypeNames("TYPE_BOOL", "BOOL", np.dtype(np.bool_)),
    "uint8": TypeNames("TYPE_UINT8", "UINT8", np.dtype(np.uint8)),
    "int8": TypeNames("TYPE_INT8", "INT8", np.dtype(np.int8)),
    "int32": TypeNames("TYPE_INT32", "INT32", np.dtype(np.int32)),
    "int64": TypeNames("TYPE_INT64", "INT64", np.dtype(np.int64)),
    "float16": TypeNames("TYPE_FP16", "FP16", np.dtype(np.float16)),
    "float32": TypeNames("TYPE_FP32", "FP32", np.dtype(np.float32)),
    "float64": TypeNames("TYPE_FP64", "FP64", np.dtype(np.float64)),
    "bytes": TypeNames("TYPE_STRING", "BYTES", np.dtype(np.object_)),
}


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input or output.

    Dimensions of one name have one size in a call: the built-in models call shoppers "B" and candidates "n".

    Example:
        >>> Tensor("history_item", "int32", ("B", 50)).dims
        (-1, 50)
    """

    name: str
    dtype: Dtype
    shape: tuple[Dimension, ...]

    def __post_init__(self) -> None:
        """Raises ValueError where the type is unknown or a size is neither positive nor -1."""
        if self.dtype not in DTYPES:
            raise ValueError(f"tensor {self.name} is {self.dtype}; types are {', '.join(get_args(Dtype))}")
        wrong = [size for size in self.shape if isinstance(size, int) and size < 1 and size != -1]
        if wrong:
            raise ValueError(
                f"tensor {self.name} has the size {wrong[0]}; a size is a positive number, a name, or -1"
            )

    @property
    def dims(self) -> tuple[int, ...]:
        """The sizes as Triton takes them: -1 where a size is named or free."""
        return tuple(size if isinstance(size, int) else -1 for size in self.shape)

    @property
    def numpy(self) -> np.dtype[np.generic]:
        """The type of its arrays; objects (`bytes` each) for bytes."""
        return DTYPES[self.dtype].numpy

    @property
    def wire(self) -> str:
        """Its type in messages, such as "INT32", "FP32" or "BYTES"."""
        return DTYPES[self.dtype].wire

    def sized(self, sizes: dict[str, int]) -> tuple[int, ...]:
        """The shape with numbers for names; free sizes are 1. KeyError where a name has no size."""
        return tuple(
            sizes[size] if isinstance(size, str) else 1 if size == -1 else size for size in self.shape
        )

    def __str__(self) -> str:
        """Its type and shape as messages name them, like `float32[B, 64]`."""
        return f"{self.dtype}[{', '.join(map(str, self.shape))}]"


@dataclass(frozen=True, slots=True)
class Tensors:
    """All inputs and outputs of a model, each in the order in which the network takes or returns them."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    def __post_init__(self) -> None:
        """Raises ValueError where a side is empty or two tensors of one side have one name."""
        for side, tensors in (("inputs", self.inputs), ("outputs", self.outputs)):
            names = [tensor.name for tensor in tensors]
            if not names or len(set(names)) < len(names):
                raise ValueError(f"{side} must be named, each once; they are {names}")

    def input(self, name: str) -> Tensor:
        """The input of that name; KeyError where there is none."""
        return _named(self.inputs, name)

    def output(self, name: str) -> Tensor:
        """The output of that name; KeyError where there is none."""
        return _named(self.outputs, name)

    def dimensions(self) -> Iterator[str]:
        """Names of the inputs' sizes that differ from call to call, each once, in order."""
        return iter(
            dict.fromkeys(size for tensor in self.inputs for size in tensor.shape if isinstance(size, str))
        )


def _named(tensors: tuple[Tensor, ...], name: str) -> Tensor:
    for tensor in tensors:
        if tensor.name == name:
            return tensor
    raise KeyError(name)


def wire_type(array: NDArray[np.generic]) -> str:
    """The type of an array in messages: "INT32", …, "BYTES" for objects and fixed-length bytes.

    Raises TypeError for a type that no tensor may have.
    """
    try:
        return _WIRE_OF[array.dtype]
    except KeyError:
        if array.dtype.type is np.bytes_:
            return "BYTES"
        raise TypeError(
            f"no tensor is {array.dtype}; tensors are {', '.join(get_args(Dtype))}, convert the array"
        ) from None


NUMPY_OF_WIRE: dict[str, np.dtype[np.generic]] = {names.wire: names.numpy for names in DTYPES.values()}
"""Type in messages → type of arrays."""
_WIRE_OF = {names.numpy: names.wire for names in DTYPES.values()}
