"""Columns that are made part by part and lie in files until they are used: one part in memory.

What tables are built from has a row for most events of a log: gigabytes at a hundred million, which were
held twice while parts were put together. The files have no name and go with the columns; they lie where
`tempfile` puts files (TMPDIR).
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from snapshot.log_parts import row_slices


class GrowingColumns:
    """Collects columns part after part; every part has the same names and types."""

    def __init__(self) -> None:
        """Without rows and without columns."""
        self._files: dict[str, tuple[IO[bytes], np.dtype[Any]]] = {}

    def add(self, part: Mapping[str, NDArray[Any]]) -> None:
        """Appends one-dimensional arrays by name; nothing may be added after `columns`.

        Raises ValueError where a part has other names or types than the first.
        """
        if not self._files:
            self._files = {
                name: (
                    tempfile.TemporaryFile(prefix="columns-"),  # noqa: SIM115 (closed by `columns`)
                    values.dtype,
                )
                for name, values in part.items()
            }
        found, expected = (
            {name: values.dtype for name, values in part.items()},
            {name: dtype for name, (_, dtype) in self._files.items()},
        )
        if found != expected:
            raise ValueError(f"a part has the columns {found}, the first one had {expected}")
        for name, values in part.items():
            self._files[name][0].write(np.ascontiguousarray(values).data)

    def close(self) -> None:
        """Gives up what was collected; what `columns` returned stays."""
        for file, _ in self._files.values():
            file.close()

    def columns(self) -> dict[str, NDArray[Any]]:
        """The rows of all parts, one part after the other, mapped read-only from the files."""
        return {name: _mapped(file, dtype) for name, (file, dtype) in self._files.items()}


def mapped(values: NDArray[Any]) -> NDArray[Any]:
    """The same numbers in the same shape, read-only and mapped from a file."""
    growing = GrowingColumns()
    growing.add({"values": values.reshape(-1)})
    return growing.columns()["values"].reshape(values.shape)


def mapped_order(values: NDArray[np.integer[Any]], begins: NDArray[np.int64]) -> NDArray[np.int64]:
    """int64[n]: `np.argsort(values, kind="stable")`, sorted part by part into a file from which it is mapped.

    Args:
        values: int[n], 0…m − 1.
        begins: int64[m + 1], how many values are smaller than each of 0…m.
    """
    slices = list(row_slices(len(values)))
    if len(slices) <= 1:
        return np.argsort(values, kind="stable")
    with tempfile.TemporaryFile(prefix="order-") as file:
        order = np.memmap(file, np.int64, "w+", shape=len(values))
    free = begins[:-1].copy()
    for rows in slices:
        part = values[rows]
        sorted_part = np.argsort(part, kind="stable")
        counts = np.bincount(part, minlength=len(free))
        # The n-th of a value goes n places behind the first that is free for it.
        first = np.cumsum(counts) - counts
        value = part[sorted_part]
        order[free[value] + np.arange(len(part)) - first[value]] = rows.start + sorted_part
        free += counts
    return np.asarray(order)


def _mapped(file: IO[bytes], dtype: np.dtype[Any]) -> NDArray[Any]:
    """The numbers in the file, which is closed: the map keeps it."""
    with file:
        file.flush()
        if not file.tell():
            return np.empty(0, dtype)
        return np.asarray(np.memmap(file, dtype, "r"))
