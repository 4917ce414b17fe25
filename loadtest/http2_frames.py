"""Frames, settings and error codes of HTTP/2 (RFC 9113, sections 4, 6 and 7)."""

import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, RST_STREAM, SETTINGS, PUSH_PROMISE = 0, 1, 3, 4, 5
PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE = 1, 2, 3, 4, 5
NO_ERROR, PROTOCOL_ERROR, CANCEL = 0x0, 0x1, 0x8

LARGEST_WINDOW = 2**31 - 1
DEFAULT_WINDOW = 65_535
DEFAULT_FRAME = 16_384
LAST_STREAM_ID = 2**31 - 1

frame_header = struct.Struct(">BHBBL")


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """A whole frame: 9 bytes of length, kind, flags and stream, then the payload."""
    size = len(payload)
    return frame_header.pack(size >> 16, size & 0xFFFF, kind, flags, stream) + payload


def broken_rule(kind: int, flags: int, payload: bytes) -> str:
    """The rule of RFC 9113, section 6, that a payload breaks by its length or padding; empty for none."""
    size = len(payload)
    exact = {RST_STREAM: 4, WINDOW_UPDATE: 4, PING: 8}.get(kind)
    if exact is not None and size != exact:
        return "a frame of the wrong length"
    if (kind == GOAWAY and size < 8) or (kind == SETTINGS and size % 6):
        return "a frame of the wrong length"
    if kind in (DATA, HEADERS) and flags & PADDED:
        fixed = 1 + (5 if kind == HEADERS and flags & PRIORITY else 0)
        if size < fixed or payload[0] > size - fixed:
            return "a frame with more padding than payload"
    elif kind == HEADERS and flags & PRIORITY and size < 5:
        return "a frame of the wrong length"
    return ""


def unpadded(kind: int, flags: int, payload: bytes) -> bytes:
    """The contents of a valid DATA or HEADERS frame without its padding and priority."""
    skip, behind = 0, 0
    if flags & PADDED:
        skip, behind = 1, payload[0]
    if kind == HEADERS and flags & PRIORITY:
        skip += 5
    return payload[skip : len(payload) - behind]


def number(value: int) -> bytes:
    """A 32-bit payload: an error code or a window's increment."""
    return struct.pack(">L", value)


# The first bytes the client sends. No dynamic table for answers: their blocks need no state then, so equal
# bytes mean equal fields. Windows as large as they get: it must never be the reader that a server waits for.
CLIENT_OPENING = (
    PREFACE
    + frame(
        SETTINGS,
        0,
        0,
        struct.pack(">HLHLHL", HEADER_TABLE_SIZE, 0, ENABLE_PUSH, 0, INITIAL_WINDOW_SIZE, LARGEST_WINDOW),
    )
    + frame(WINDOW_UPDATE, 0, 0, number(LARGEST_WINDOW - DEFAULT_WINDOW))
)
