"""The published model of satisfaction: how likely a rating of each item is 4 or 5, as log-odds.

An item that was rated has log-odds of its own; another one those of everything, plus what is added for its
category and for its shop.
"""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from state.live_counters.keys import CatalogueKeys
from state.live_model.weights import WeightsError

SUFFIX = ".satisfaction"
_MAGIC = b"SFCSAT1\n"
_CHECKSUM_BYTES = 4
_MOST_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, eq=False)
class KeyedValues:
    """Values by key: keys uint64[m], ascending, and values float32[m]."""

    keys: NDArray[np.uint64]
    values: NDArray[np.float32]

    def of(self, keys: NDArray[np.uint64]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Values float32[n] of keys uint64[n], 0 where there is none, and where there is one, bool[n]."""
        if not self.keys.size:
            return np.zeros(keys.size, np.float32), np.zeros(keys.size, np.bool_)
        at = np.minimum(np.searchsorted(self.keys, keys), self.keys.size - 1)
        known = self.keys[at] == keys
        return np.where(known, self.values[at], np.float32(0)), known


NO_VALUES = KeyedValues(np.empty(0, np.uint64), np.empty(0, np.float32))


@dataclass(frozen=True, slots=True, eq=False)
class SatisfactionModel:
    """One version.

    ratings     that it has learned from, 0 where there is no model
    overall     log-odds of a rating of 4 or 5
    items       log-odds of items that were rated
    categories  what is added to `overall` for an item of a category; `shops` likewise
    """

    ratings: int
    overall: float
    items: KeyedValues
    categories: KeyedValues
    shops: KeyedValues

    def log_odds(self, keys: CatalogueKeys, items: NDArray[np.int32]) -> NDArray[np.float32]:
        """float32[n] of dense items int32[n]."""
        own, known = self.items.of(keys.items[items])
        category, _ = self.categories.of(keys.categories[items])
        shop, _ = self.shops.of(keys.shops[items])
        return np.where(known, own, np.float32(self.overall) + category + shop)


NO_SATISFACTION = SatisfactionModel(0, 0.0, NO_VALUES, NO_VALUES, NO_VALUES)
"""Of a shop with too few ratings, or none."""


class _Wire(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Keys and values as their little-endian bytes: of items, categories, shops."""

    ratings: int
    overall: float
    keys: list[bytes]
    values: list[bytes]


_DECODER = msgspec.msgpack.Decoder(_Wire)


def write_satisfaction(path: Path, model: SatisfactionModel) -> None:
    """Puts a version at `path`, whole or not at all; not synced. Raises OSError."""
    tables = (model.items, model.categories, model.shops)
    content = msgspec.msgpack.encode(
        _Wire(
            model.ratings,
            model.overall,
            [table.keys.astype("<u8", copy=False).tobytes() for table in tables],
            [table.values.astype("<f4", copy=False).tobytes() for table in tables],
        )
    )
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(_MAGIC + zlib.crc32(content).to_bytes(_CHECKSUM_BYTES, "little") + content)
    temporary.replace(path)


def read_satisfaction(path: Path) -> SatisfactionModel:
    """The version at `path`.

    Raises:
        WeightsError: it is none, is damaged, or has values that are no numbers.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        read = file.read(_MOST_BYTES + 1)
    head = len(_MAGIC) + _CHECKSUM_BYTES
    checksum, content = read[len(_MAGIC) : head], read[head:]
    if read[: len(_MAGIC)] != _MAGIC or len(read) > _MOST_BYTES:
        raise WeightsError(f"{path} is of another version; start the learner of this version")
    try:
        wire = _DECODER.decode(content)
        keys = [np.frombuffer(each, "<u8") for each in wire.keys]
        values = [np.frombuffer(each, "<f4") for each in wire.values]
        items, categories, shops = (KeyedValues(*pair) for pair in zip(keys, values, strict=True))
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        raise WeightsError(f"{path} is damaged: {error}") from error
    tables = (items, categories, shops)
    fit = all(table.keys.size == table.values.size for table in tables)
    finite = np.isfinite(wire.overall) and all(np.isfinite(table.values).all() for table in tables)
    if int.from_bytes(checksum, "little") != zlib.crc32(content) or not fit or not finite:
        raise WeightsError(f"{path} is damaged")
    return SatisfactionModel(wire.ratings, wire.overall, items, categories, shops)
