"""Keeps the learner's state and its place in the log in one file, replaced by rename: both or neither.

The file is NumPy's .npz without pickles; its zip container has a CRC-32 of every array.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snapshot.durable_files import sync_folder

FILE = "checkpoint.npz"
SCHEMA = 1
_NUMBERS = "numbers"


class DamagedCheckpoint(Exception):
    """The file is not what was written; the message names it."""


def digest(numbers: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> str:
    """A hash of numbers and arrays by name, which is the same where all of them are the same to the bit."""
    hashed = blake2b(json.dumps(numbers, sort_keys=True).encode(), digest_size=16)
    for name, array in sorted(arrays.items()):
        hashed.update(f"{name} {array.dtype} {array.shape}".encode())
        hashed.update(np.ascontiguousarray(array).tobytes())
    return hashed.hexdigest()


def write_checkpoint(
    folder: Path, made_by: str, numbers: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> None:
    """Replaces the checkpoint of a folder, durably.

    Args:
        folder: which exists.
        made_by: what the state depends on beside the log; one of another kind is not read.
        numbers: JSON.
        arrays: by name.

    Raises:
        OSError: it could not be written; the one before is still there.
    """
    temporary = folder / f".{FILE}.{os.getpid()}"
    head = json.dumps({"schema": SCHEMA, "made_by": made_by, **numbers}).encode()
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            whole: dict[str, Any] = {_NUMBERS: np.frombuffer(head, np.uint8), **arrays}
            np.savez(file, **whole)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(folder / FILE)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(folder)


def read_checkpoint(folder: Path, made_by: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]] | None:
    """(numbers, arrays) of the folder's checkpoint; None where there is none, or another `made_by`.

    Raises:
        DamagedCheckpoint: the file is not what was written.
        OSError: it cannot be read.
    """
    path = folder / FILE
    try:
        # Opened here, since NumPy leaves open what it cannot read.
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            numbers = json.loads(bytes(file[_NUMBERS]))
            if numbers.pop("schema") != SCHEMA or numbers.pop("made_by") != made_by:
                return None
            return numbers, {name: file[name] for name in file.files if name != _NUMBERS}
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DamagedCheckpoint(f"{path} is damaged: {error}") from error
