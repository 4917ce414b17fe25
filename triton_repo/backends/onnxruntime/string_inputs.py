"""Text inputs of the embedded server's `onnxruntime` backend.

This server's Python backend is compiled against numpy 1. It computes the strides of a new array from the size
of an element, which numpy 2 keeps elsewhere in its type objects: it reads 0, so every element of the array it
makes of a text input is the first byte, and its process ends. `repair` has numpy compute the strides: it puts
a function of its own into a copy of numpy's table of C functions, which the backend reads at the first array.
Arrays made here are always contiguous, for which numpy computes the strides that were meant.
"""

import ctypes
import warnings
from typing import Any

import numpy as np

_NEW_FROM_DESCRIPTOR = 94  # the place of PyArray_NewFromDescr, fixed by numpy's C API
_FUNCTIONS = 301  # up to numpy 2.0's last; later versions only add
_SIGNATURE = ctypes.PYFUNCTYPE(
    ctypes.c_void_p,  # a new array
    ctypes.c_void_p,  # class
    ctypes.c_void_p,  # type
    ctypes.c_int,  # axes
    ctypes.c_void_p,  # sizes
    ctypes.c_void_p,  # strides
    ctypes.c_void_p,  # memory
    ctypes.c_int,  # flags
    ctypes.c_void_p,  # prototype
)
_kept: list[Any] = []  # what C code points to must live as long as the process


def repair() -> None:
    """Call once, before the first tensor is read; nothing where numpy is older than 2."""
    if _kept or int(np.__version__.partition(".")[0]) < 2:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from numpy.core import multiarray

    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    capsule = ctypes.pythonapi.PyCapsule_New
    capsule.restype = ctypes.py_object
    capsule.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    table = (ctypes.c_void_p * _FUNCTIONS)()
    ctypes.memmove(table, pointer(multiarray._ARRAY_API, None), ctypes.sizeof(table))
    new_array = _SIGNATURE(table[_NEW_FROM_DESCRIPTOR] or 0)

    def with_own_strides(
        kind: int, dtype: int, axes: int, sizes: int, strides: int, memory: int, flags: int, prototype: int
    ) -> int:
        made: int = new_array(kind, dtype, axes, sizes, None, memory, flags, prototype)
        return made

    replaced = _SIGNATURE(with_own_strides)
    table[_NEW_FROM_DESCRIPTOR] = ctypes.cast(replaced, ctypes.c_void_p).value
    multiarray._ARRAY_API = capsule(ctypes.addressof(table), None, None)
    _kept.extend((table, new_array, replaced))


def text(tensor: Any) -> np.ndarray:
    """The elements of a text input as `str` objects; bytes that are not UTF-8 become U+FFFD."""
    words = tensor.as_numpy()
    decoded = np.empty(tensor.shape(), dtype=object)
    decoded.ravel()[:] = [word.decode(errors="replace") for word in words.ravel()]
    return decoded
