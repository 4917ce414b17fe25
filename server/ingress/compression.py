"""Compressed requests are unpacked here, within their method's limit; gRPC would unpack them whole first.

gRPC's own limit is for the message as it was sent, of which gzip makes a thousandth. So gRPC is set to pass
messages on as they are, and to refuse as UNIMPLEMENTED what is compressed otherwise than with gzip, which is
recognised by its first bytes: no protobuf message begins with them.
"""

from __future__ import annotations

import zlib

# https://grpc.github.io/grpc/core/group__grpc__arg__keys.html
_IDENTITY, _GZIP = 1 << 0, 1 << 2
GRPC_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.per_message_decompression", 0),
    ("grpc.compression_enabled_algorithms_bitset", _IDENTITY | _GZIP),
)
"""Channel arguments of every server whose requests are read by `server.ingress.malformed.tolerant`."""

_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


class UnpackError(ValueError):
    """Bytes cannot be unpacked; the message says why, as of a request."""


def unpacked(data: bytes, most: int) -> bytes:
    """`data`, unpacked where it is compressed with gzip (RFC 1952); never allocates more than `most` bytes.

    Raises:
        UnpackError: there are more than `most` bytes, or they are damaged.
    """
    if not data.startswith(_MAGIC):
        return data
    unpacker = zlib.decompressobj(_GZIP_WINDOW)
    try:
        found = unpacker.decompress(data, most + 1)
    except zlib.error:
        raise UnpackError("is not well-formed gzip") from None
    if len(found) > most:
        raise UnpackError(f"has more than {most:,} bytes once unpacked; at most {most:,} are allowed")
    if not unpacker.eof or unpacker.unused_data:
        raise UnpackError("is not one whole gzip member")
    return found


def bound_unpacking_in_ray() -> None:
    """Applies `GRPC_OPTIONS` to the servers that Ray Serve starts in this process from now on.

    Ray Serve has no setting for them. Raises RuntimeError where it keeps its options elsewhere.
    """
    from ray.serve._private import grpc_util

    options = getattr(grpc_util, "DEFAULT_GRPC_SERVER_OPTIONS", None)
    if not isinstance(options, list):
        raise RuntimeError(
            "ray.serve._private.grpc_util has no list DEFAULT_GRPC_SERVER_OPTIONS; "
            "server/ingress/compression.py must be adapted to the version of Ray"
        )
    options.extend(option for option in GRPC_OPTIONS if option not in options)
