"""The files of a checkpoint, and whether they are whole; without torch, which takes seconds to import."""

from __future__ import annotations

from pathlib import Path

import msgspec

from snapshot.checksums import sha256_of

WEIGHTS_NAME = "weights.safetensors"
RECORD_NAME = "model.json"


class CheckpointDamaged(Exception):
    """A checkpoint's files are missing or damaged; the message names the file."""


class _Record(msgspec.Struct, frozen=True):
    weights_sha256: str


def weights_checksum(folder: Path) -> str:
    """SHA-256 (hex) of the weights, as the record has it.

    Raises:
        CheckpointDamaged: the record is missing, unreadable or damaged.
    """
    record = folder / RECORD_NAME
    try:
        return msgspec.json.decode(record.read_bytes().decode(), type=_Record).weights_sha256
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CheckpointDamaged(f"{record} is not a checkpoint's record ({error})") from error
    except OSError as error:
        raise CheckpointDamaged(f"{record} cannot be read ({error.strerror})") from error


def verify_checkpoint(folder: Path) -> None:
    """Compares the weights with the checksum in the record.

    Raises:
        CheckpointDamaged: a file is missing, unreadable or damaged.
    """
    expected, weights = weights_checksum(folder), folder / WEIGHTS_NAME
    try:
        found = sha256_of(weights)
    except OSError as error:
        raise CheckpointDamaged(f"{weights} cannot be read ({error.strerror})") from error
    if found != expected:
        raise CheckpointDamaged(f"{weights} does not have the checksum in {RECORD_NAME}")
