"""gRPC message compression: gzip and deflate, with a bound on what a small message may unfold to."""

import gzip
import zlib


class DecompressionError(Exception):
    """The server's message cannot be unpacked; the exception's text gives the reason."""


def compressed(message: bytes) -> bytes:
    """`message` packed with gzip."""
    return gzip.compress(message, compresslevel=6, mtime=0)


def decompressed(message: bytes, encoding: str, limit: int) -> bytes:
    """Returns `message` unpacked, by the answer's grpc-encoding.

    Raises DecompressionError for an unknown encoding, broken data, and more than `limit` bytes.
    """
    wbits = {"gzip": 31, "deflate": 15}.get(encoding)
    if wbits is None:
        raise DecompressionError(
            f"the answer is compressed with {encoding or 'an encoding it does not name'!r}"
        )
    unpacker = zlib.decompressobj(wbits)
    try:
        unpacked = unpacker.decompress(message, limit + 1)
    except zlib.error as error:
        raise DecompressionError(f"the answer's {encoding} does not unpack: {error}") from error
    if len(unpacked) > limit:
        raise DecompressionError(f"the answer unpacks to more than {limit} bytes")
    return unpacked
