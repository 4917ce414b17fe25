"""An immutable column of strings, memory-mapped: UTF-8 bytes and the offsets between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from snapshot.columns import load_column, save_column
from snapshot.manifest import SnapshotError


@dataclass(frozen=True, slots=True)
class StringColumn:
    """n strings held as uint8 bytes and int64[n + 1] offsets; strings are decoded by `take`."""

    offsets: np.ndarray
    utf8: np.ndarray

    def __len__(self) -> int:
        """Number of strings, n."""
        return len(self.offsets) - 1

    def take(self, rows: np.ndarray) -> list[str]:
        """Decode the strings at `rows` (integer[k]); raises IndexError for a row outside 0…n-1."""
        rows = np.asarray(rows)
        if rows.size and (rows.min() < 0 or rows.max() >= len(self)):
            raise IndexError(f"row outside 0…{len(self) - 1}: {rows[(rows < 0) | (rows >= len(self))][:5]}")
        starts, ends = self.offsets[rows].tolist(), self.offsets[rows + 1].tolist()
        return [self.utf8[start:end].tobytes().decode() for start, end in zip(starts, ends, strict=True)]


def save_strings(folder: Path, name: str, values: Sequence[str]) -> None:
    """Write `values` as `<name>.offsets.npy` and `<name>.utf8.npy` into `folder`."""
    encoded = [value.encode() for value in values]
    offsets = np.zeros(len(encoded) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(map(len, encoded), dtype=np.int64, count=len(encoded)), out=offsets[1:])
    save_column(folder, f"{name}.offsets", offsets)
    save_column(folder, f"{name}.utf8", np.frombuffer(b"".join(encoded), dtype=np.uint8))


def load_strings(folder: Path, name: str) -> StringColumn:
    """Map the strings that `save_strings` wrote; raises SnapshotError where the two files disagree."""
    offsets = load_column(folder, f"{name}.offsets", np.dtype(np.int64))
    utf8 = load_column(folder, f"{name}.utf8", np.dtype(np.uint8))
    if not len(offsets) or offsets[0] != 0 or offsets[-1] != len(utf8):
        raise SnapshotError(
            folder, f"{name}.offsets.npy", f"does not fit {name}.utf8.npy", "build the folder again"
        )
    return StringColumn(offsets, utf8)
