"""Published weights of the online ranker: one file per version, mapped by replicas."""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from state.live_model.inputs import FIELDS, RankedRows, hashed_inputs

SUFFIX = ".weights"
_MAGIC = b"SFRANK1\n"
_HEAD = struct.Struct("<8sIIQI")
_MOST_BITS = 26


class WeightsError(Exception):
    """A file of weights cannot be used; the message names it and what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class OnlineModel:
    """One version of the ranker.

    bits     the inputs are 0…2^bits − 1
    samples  that it has learned from, which is its version
    weights  float32[2^bits], finite; those of input 0 is 0
    """

    bits: int
    samples: int
    weights: NDArray[np.float32]

    def log_odds(self, rows: RankedRows) -> NDArray[np.float32]:
        """float32[n]: of a click on each row."""
        return np.asarray(self.weights[hashed_inputs(rows, self.bits)].sum(axis=1), np.float32)


NO_MODEL = OnlineModel(1, 0, np.zeros(2, np.float32))
"""Of a shop without one: nothing is known of any row."""


def write_weights(path: Path, model: OnlineModel) -> None:
    """Puts a version at `path`, whole or not at all; not synced. Raises OSError."""
    content = model.weights.astype("<f4", copy=False).tobytes()
    head = _HEAD.pack(_MAGIC, model.bits, len(FIELDS), model.samples, zlib.crc32(content))
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(head)
        file.write(content)
    temporary.replace(path)


def read_weights(path: Path) -> OnlineModel:
    """The version at `path`.

    Raises:
        WeightsError: it is none, is damaged, or has weights that are no numbers.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD.size)
        if len(head) < _HEAD.size:
            raise WeightsError(f"{path} is torn")
        magic, bits, fields, samples, checksum = _HEAD.unpack(head)
        if magic != _MAGIC or fields != len(FIELDS) or not 1 <= bits <= _MOST_BITS:
            raise WeightsError(f"{path} is of another version; start the learner of this version")
        content = file.read((4 << bits) + 1)
    if len(content) != 4 << bits or zlib.crc32(content) != checksum:
        raise WeightsError(f"{path} is damaged")
    weights = np.frombuffer(content, "<f4")
    if not np.isfinite(weights).all():
        raise WeightsError(f"{path} has weights that are no numbers")
    return OnlineModel(bits, samples, weights)
