"""Writing and memory-mapping single NumPy columns."""

from __future__ import annotations

import re
from pathlib import Path
from typing import BinaryIO

import numpy as np

from snapshot.manifest import SnapshotError

# The header that np.save writes for a one-dimensional array of a plain type.
_HEADER = re.compile(r"\{'descr': '([<|][a-z]\d+)', 'fortran_order': False, 'shape': \((\d+),\), \}\s*")


def save_column(folder: Path, name: str, values: np.ndarray) -> None:
    """Write an array [n] of a plain type as `<name>.npy` into `folder`, which must exist."""
    np.save(folder / f"{name}.npy", np.ascontiguousarray(values), allow_pickle=False)


def load_column(folder: Path, name: str, dtype: np.dtype, length: int | None = None) -> np.ndarray:
    """Map `<name>.npy` read-only; pages are read from the disk when first touched.

    Args:
        folder: where the file lies.
        name: the column's name.
        dtype: the type the column must have.
        length: the length it must have, where known.

    Returns:
        A one-dimensional read-only array backed by the file.

    Raises:
        SnapshotError: the file is missing or torn, or has another type, shape or length.
    """
    file = f"{name}.npy"
    try:
        with (folder / file).open("rb") as stream:
            found_dtype, found_length = _read_header(stream)
            expected = dtype.name + (f"[{length}]" if length is not None else "[n]")
            if found_dtype != dtype or (length is not None and found_length != length):
                found = f"{found_dtype.name}[{found_length}]"
                raise SnapshotError(
                    folder, file, f"holds {found} instead of {expected}", "build the folder again"
                )
            return np.asarray(np.memmap(stream, dtype, "r", offset=stream.tell(), shape=(found_length,)))
    except (OSError, ValueError) as error:
        raise SnapshotError(folder, file, f"cannot be mapped ({error})", "build the folder again") from error


def rows_between(column: np.ndarray, least: int, below: int) -> slice:
    """The rows of an ascending column of integers from value `least` to below `below`.

    Searched in the column's own type: NumPy copies the whole column, 20 ms at ten million rows, to look for a
    number of another one. Raises OverflowError where a value does not fit it.

    Example:
        >>> rows_between(np.array([1, 4, 4, 7], np.int32), 4, 5)
        slice(1, 3, None)
    """
    first, after = np.searchsorted(column, np.array((least, below), column.dtype)).tolist()
    return slice(first, after)


def _read_header(stream: BinaryIO) -> tuple[np.dtype, int]:
    """Type and length of a one-dimensional .npy file; leaves the stream where the data begins.

    `np.load` evaluates the header with `ast`, whose recursion counter the threads of early CPython 3.11
    releases share (gh-106905): opening snapshots in two threads at once could end in a SystemError. The few
    headers written here need no `ast`.
    """
    version = np.lib.format.read_magic(stream)
    size = int.from_bytes(stream.read(2 if version == (1, 0) else 4), "little")
    header = _HEADER.fullmatch(stream.read(size).decode("latin-1"))
    if header is None:
        raise ValueError("its header describes no one-dimensional array of numbers")
    return np.dtype(header[1]), int(header[2])
