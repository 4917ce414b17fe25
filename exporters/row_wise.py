"""Row-wise quantisation of embedding tables: each row has a scale, and for 4 bits a low end, of its own.

Guan, Malevich, Yang, Park and Yuen 2019, "Post-Training 4-bit Quantization on Embedding Tables"
(arXiv:1911.02079): rows differ in size by orders of magnitude, so one range per table loses the small ones;
and at 4 bits a range a little narrower than the row's own (their greedy search) has a smaller squared error.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_LEVELS_INT4 = 15
_SEARCH_STEPS = 10
_SEARCH_SHARE = 0.02
_ROWS_AT_ONCE = 1024  # so that what is computed stays in the cache


@dataclass(frozen=True, slots=True)
class Int8Rows:
    """values: int8[R, d], −127…127; scale: float32[R, 1]. A row is values · scale."""

    values: NDArray[np.int8]
    scale: NDArray[np.float32]

    def dequantised(self) -> NDArray[np.float32]:
        """float32[R, d]."""
        return self.values.astype(np.float32) * self.scale


@dataclass(frozen=True, slots=True)
class Int4Rows:
    """Rows of 4-bit codes 0…15; a row is code · scale + low.

    packed: uint8[R, ⌈d/2⌉], column j in the low half of byte j, column j + ⌈d/2⌉ in its high half; scale,
    low: float32[R, 1]; width: d.
    """

    packed: NDArray[np.uint8]
    scale: NDArray[np.float32]
    low: NDArray[np.float32]
    width: int

    def dequantised(self) -> NDArray[np.float32]:
        """float32[R, d]."""
        return unpack_int4(self.packed, self.width).astype(np.float32) * self.scale + self.low


def int8_rows(table: NDArray[np.float32]) -> Int8Rows:
    """Symmetric INT8 of float32[R, d]; no value moves by more than half a step, max|row| / 254."""
    table = np.asarray(table, np.float32)
    largest = np.abs(table).max(axis=1, keepdims=True, initial=0).astype(np.float64)
    scale = _step(largest / 127)
    values = np.empty(table.shape, np.int8)
    for first in range(0, len(table), _ROWS_AT_ONCE):
        part = slice(first, first + _ROWS_AT_ONCE)
        values[part] = np.clip(np.rint(table[part] / scale[part]), -127, 127)
    return Int8Rows(values, scale)


def int4_rows(table: NDArray[np.float32]) -> Int4Rows:
    """Asymmetric INT4 of float32[R, d].

    Each row starts at its own range; its ends then move inwards by 2 % of the range, the better of both
    ends each time and at most 10 times, while the squared error falls. So it is never worse in squared
    error than min–max, whose values move by at most (max − min) / 30.
    """
    table = np.asarray(table, np.float32)
    low = np.empty((len(table), 1), np.float32)
    high = np.empty_like(low)
    for first in range(0, len(table), _ROWS_AT_ONCE):
        part = slice(first, first + _ROWS_AT_ONCE)
        low[part], high[part] = _narrowed_range(table[part])
    scale = _step((high.astype(np.float64) - low) / _LEVELS_INT4)
    packed = np.empty((len(table), (table.shape[1] + 1) // 2), np.uint8)
    for first in range(0, len(table), _ROWS_AT_ONCE):
        part = slice(first, first + _ROWS_AT_ONCE)
        packed[part] = pack_int4(_codes(table[part], low[part], scale[part]))
    return Int4Rows(packed, scale, low, table.shape[1])


def pack_int4(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8[R, d] of 0…15 → uint8[R, ⌈d/2⌉]: the first half of the columns low, the second half high."""
    half = (codes.shape[1] + 1) // 2
    high = np.zeros((len(codes), half), np.uint8)
    high[:, : codes.shape[1] - half] = codes[:, half:]
    return (codes[:, :half] | (high << 4)).astype(np.uint8)


def unpack_int4(packed: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """The inverse of `pack_int4`: uint8[R, width]."""
    return np.concatenate((packed & 15, packed >> 4), axis=1)[:, :width]


def _step(step: NDArray[np.float64]) -> NDArray[np.float32]:
    """The step as float32; 1 where all values of a row are equal, so that nothing is divided by 0."""
    small = step.astype(np.float32)
    return np.where(small > 0, small, np.float32(1))


def _codes(
    table: NDArray[np.float32], low: NDArray[np.float32], scale: NDArray[np.float32]
) -> NDArray[np.uint8]:
    codes: NDArray[np.uint8] = np.clip(np.rint((table - low) / scale), 0, _LEVELS_INT4).astype(np.uint8)
    return codes


def _narrowed_range(rows: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The low and high end of each row, float32[r, 1]."""
    low = rows.min(axis=1, keepdims=True, initial=np.inf)
    high = rows.max(axis=1, keepdims=True, initial=-np.inf)
    inwards = (high - low) * np.float32(_SEARCH_SHARE)
    best = _squared_error(rows, low, high)
    for _ in range(_SEARCH_STEPS):
        raised, lowered = low + inwards, high - inwards
        from_below, from_above = _squared_error(rows, raised, high), _squared_error(rows, low, lowered)
        below = (from_below < best) & (from_below <= from_above)
        above = (from_above < best) & ~below
        if not (below | above).any():
            break
        low, high = np.where(below, raised, low), np.where(above, lowered, high)
        best = np.where(below, from_below, np.where(above, from_above, best))
    return low, high


def _squared_error(
    rows: NDArray[np.float32], low: NDArray[np.float32], high: NDArray[np.float32]
) -> NDArray[np.float32]:
    """float32[r, 1]."""
    scale = _step((high.astype(np.float64) - low) / _LEVELS_INT4)
    error = _codes(rows, low, scale) * scale + low - rows
    return np.asarray(np.einsum("rd,rd->r", error, error)[:, None])
