"""Writing and memory-mapping single NumPy columns."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from snapshot.manifest import SnapshotError


def save_column(folder: Path, name: str, values: np.ndarray) -> None:
    """Write a one-dimensional array as `<name>.npy` into `folder`, which must exist."""
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
        values = np.asarray(np.load(folder / file, mmap_mode="r", allow_pickle=False))
    except (OSError, ValueError, EOFError) as error:
        raise SnapshotError(folder, file, f"cannot be mapped ({error})", "build the folder again") from error
    expected = dtype.name + (f"[{length}]" if length is not None else "[n]")
    if values.ndim != 1 or values.dtype != dtype or (length is not None and len(values) != length):
        found = f"{values.dtype.name}{list(values.shape)}"
        raise SnapshotError(folder, file, f"holds {found} instead of {expected}", "build the folder again")
    return values
