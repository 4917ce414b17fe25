"""What the state store keeps of a picture that arrived while the shop was open."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recall.picture_space import UNNAMED

STRUCTURE_BYTES = 32
"""Length of what `vision.structure` makes."""
LIGHT_SIDE, COLOUR_SIDE = 48, 24
"""Places of a side of a small copy: of its light, and of its blue and its red (`vision.same_picture`)."""
COPY_BYTES = LIGHT_SIDE**2 + 2 * COLOUR_SIDE**2
"""Length of a small copy."""


def record_of(features: int) -> np.dtype[np.void]:
    """The type of a record.

    `features` float16[F], `structure` uint8[32] (`vision.structure`) and `copy` uint8[3456]
    (`vision.same_picture`).
    """
    return np.dtype(
        [
            ("features", np.float16, (features,)),
            ("structure", np.uint8, (STRUCTURE_BYTES,)),
            ("copy", np.uint8, (COPY_BYTES,)),
        ]
    )


def encode_record(
    maker: bytes, features: NDArray[np.float32], structure: NDArray[np.uint8], copy: NDArray[np.uint8]
) -> bytes:
    """The bytes of a record.

    Args:
        maker: 8 bytes that name what made the features (`PictureSpace.encoder`).
        features: float32[F]; kept as float16.
        structure: uint8[32].
        copy: uint8[3456].
    """
    record = np.zeros(1, record_of(len(features)))
    record["features"], record["structure"], record["copy"] = features, structure, copy
    return maker + record.tobytes()


def decode_record(record: bytes, maker: bytes, features: int) -> np.void | None:
    """A record of `record_of`; None where another encoder, or another version of this, made it."""
    kind = record_of(features)
    if record[: len(UNNAMED)] != maker or len(record) != len(UNNAMED) + kind.itemsize:
        return None
    decoded: np.void = np.frombuffer(record, kind, offset=len(UNNAMED))[0]
    return decoded


def content_numbers(contents: list[bytes]) -> NDArray[np.uint64]:
    """Content keys of 16 bytes as uint64[n, 2]."""
    return np.frombuffer(b"".join(contents), "<u8").astype(np.uint64).reshape(-1, 2)
