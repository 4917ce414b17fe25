"""What no gRPC client would send: damaged HTTP/2, headers and gRPC framing, one connection each.

Every case is judged by what came back: a gRPC status, an HTTP status, or the connection's end. Silence is a
failure, and so is INTERNAL or UNKNOWN, but where gRPC's own library answers before it asks any of our code.
"""

from __future__ import annotations

import asyncio
import random
import struct
from collections import Counter
from collections.abc import Callable

import grpc
import hpack

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RESET, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, END_HEADERS = 0x1, 0x4
SILENT = "SILENT"
ENDED = "CONNECTION_ENDED"
_NAMES = {code.value[0]: code.name for code in grpc.StatusCode}
_PATIENCE_S = 10.0
_PATIENCE_WITH_THE_SILENT_S = 0.5

Case = Callable[[str, bytes, random.Random], bytes]


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """An HTTP/2 frame (RFC 9113, section 4.1)."""
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def message(data: bytes, *, compressed: int = 0, length: int | None = None) -> bytes:
    """A message as gRPC frames it; `length`: what its prefix says, if that is a lie."""
    return struct.pack(">BI", compressed, len(data) if length is None else length) + data


def _headers(path: str, *more: tuple[str, str], leave_out: tuple[str, ...] = ()) -> bytes:
    fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "shopfront"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ]
    replaced = {name for name, _ in more} | set(leave_out)
    kept = [field for field in fields if field[0] not in replaced]
    # Pseudo-headers must come first.
    ordered = sorted((*kept, *more), key=lambda field: not field[0].startswith(":"))
    return hpack.Encoder().encode(ordered, huffman=False)


def _call(block: bytes, body: bytes) -> bytes:
    pieces = [block[at : at + 16_384] for at in range(0, len(block), 16_384)] or [b""]
    frames = [frame(HEADERS, END_HEADERS if len(pieces) == 1 else 0, 1, pieces[0])]
    frames += [
        frame(CONTINUATION, END_HEADERS if piece is pieces[-1] else 0, 1, piece) for piece in pieces[1:]
    ]
    return PREFACE + frame(SETTINGS, 0, 0) + b"".join(frames) + frame(DATA, END_STREAM, 1, body)


def _whole(*more: tuple[str, str], leave_out: tuple[str, ...] = ()) -> Case:
    return lambda path, data, chance: _call(_headers(path, *more, leave_out=leave_out), message(data))


def _body(make: Callable[[bytes, random.Random], bytes], *more: tuple[str, str]) -> Case:
    return lambda path, data, chance: _call(_headers(path, *more), make(data, chance))


def _then(make: Callable[[random.Random], bytes]) -> Case:
    """Frames after a good start."""
    return lambda path, data, chance: PREFACE + frame(SETTINGS, 0, 0) + make(chance)


_GZIP = ("grpc-encoding", "gzip")
CASES: dict[str, Case] = {
    "truncated message": _body(lambda data, chance: message(data, length=len(data) + 40)),
    "bytes behind the message": _body(lambda data, chance: message(data) + chance.randbytes(30)),
    "two messages to a unary method": _body(lambda data, chance: message(data) * 2),
    "no message": _body(lambda data, chance: b""),
    "half a prefix": _body(lambda data, chance: b"\0\0"),
    "4 GiB announced": _body(lambda data, chance: message(data, length=2**32 - 1)),
    "reserved flag": _body(lambda data, chance: message(data, compressed=chance.randint(2, 255))),
    "compressed without an encoding": _body(lambda data, chance: message(data, compressed=1)),
    "garbage as gzip": _body(lambda data, chance: message(chance.randbytes(60), compressed=1), _GZIP),
    "unknown encoding": _body(
        lambda data, chance: message(data, compressed=1), ("grpc-encoding", "snakeoil")
    ),
    "content-type json": _whole(("content-type", "application/json")),
    "no content-type": _whole(leave_out=("content-type",)),
    "no te": _whole(leave_out=("te",)),
    "method GET": _whole((":method", "GET")),
    "no path": _whole(leave_out=(":path",)),
    "path without a slash": _whole((":path", "nowhere")),
    "empty path": _whole((":path", "/")),
    "path of 10 kB": _whole((":path", "/" + "x" * 10_000)),
    "grpc-timeout 0": _whole(("grpc-timeout", "0m")),
    "grpc-timeout negative": _whole(("grpc-timeout", "-1S")),
    "grpc-timeout without a unit": _whole(("grpc-timeout", "10")),
    "grpc-timeout too long": _whole(("grpc-timeout", "99999999999H")),
    "grpc-timeout of words": _whole(("grpc-timeout", "soon")),
    "header of 64 kB": _whole(("x-large", "x" * 65_536)),
    "two thousand headers": _whole(*((f"x-{number}", "y") for number in range(2_000))),
    "upper-case header": _whole(("X-Upper", "y")),
    "header not UTF-8": _whole(
        ("x-odd", "\udcff\udcfe".encode("utf-8", "surrogateescape").decode("latin-1"))
    ),
    "binary header not base64": _whole(("x-odd-bin", "!!!*")),
    "application elsewhere": _whole(("application", "elsewhere")),
    "another call's id": _whole(("request_id", "r" * 4_000), ("x-shopfront-call-id", "c" * 4_000)),
    "traceparent of nonsense": _whole(("traceparent", "00-zz-1"), ("tracestate", "=" * 600)),
    "unknown service": _whole((":path", "/no.such.Service/Method")),
    "unknown method": _whole((":path", "/shopfront.v1.RecommendService/Destroy")),
    "random bytes": lambda path, data, chance: chance.randbytes(400),
    "HTTP/1.1": lambda path, data, chance: (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode()
    ),
    "preface and random bytes": _then(lambda chance: chance.randbytes(400)),
    "frame larger than allowed": _then(lambda chance: struct.pack(">I", 2**24 - 1)[1:] + bytes(6)),
    "data on stream 0": _then(lambda chance: frame(DATA, 0, 0, b"x")),
    "data on a stream never opened": _then(lambda chance: frame(DATA, END_STREAM, 7, b"x")),
    "headers on an even stream": _then(lambda chance: frame(HEADERS, 5, 2, _headers("/a/b"))),
    "headers that are no HPACK": _then(lambda chance: frame(HEADERS, 5, 1, b"\xff" * 40)),
    "continuation of nothing": _then(lambda chance: frame(CONTINUATION, END_HEADERS, 1, b"")),
    "ping of 3 bytes": _then(lambda chance: frame(PING, 0, 0, b"abc")),
    "settings of 5 bytes": _then(lambda chance: frame(SETTINGS, 0, 0, b"abcde")),
    "window grown by 0": _then(lambda chance: frame(WINDOW, 0, 0, bytes(4))),
    "window beyond 2^31": _then(lambda chance: frame(WINDOW, 0, 0, struct.pack(">I", 2**31 - 1)) * 2),
    "a push from a client": _then(lambda chance: frame(PUSH, END_HEADERS, 1, bytes(4))),
    "1,000 streams opened and reset": _then(
        lambda chance: b"".join(
            frame(HEADERS, 4, 2 * number + 1, _headers("/a/b")) + frame(RESET, 0, 2 * number + 1, bytes(4))
            for number in range(1_000)
        )
    ),
}
"""What is sent, by what is wrong with it."""

# What gRPC's C core answers itself, before any code of a server is asked.
BY_GRPC = dict.fromkeys(
    (
        "compressed without an encoding",
        "reserved flag",
        "garbage as gzip",
        "unknown encoding",
        "grpc-timeout negative",
        "grpc-timeout without a unit",
        "grpc-timeout of words",
        "binary header not base64",
        "upper-case header",
        "headers that are no HPACK",
    ),
    frozenset({"INTERNAL"}),
)
# Frames that belong to no call may be passed over. A call that ends before its message is whole is dropped by
# grpc.aio 1.85 without a status (_cython/_cygrpc/aio/server.pyx.pxi, "cancelled immediately after start").
MAY_BE_SILENT = frozenset(
    {
        "1,000 streams opened and reset",
        "a push from a client",
        "data on a stream never opened",
        "data on stream 0",
        "headers on an even stream",
        "random bytes",
        "window beyond 2^31",
        "window grown by 0",
        "4 GiB announced",
        "half a prefix",
        "no message",
        "truncated message",
    }
)


async def send_garbage(
    address: str, requests: dict[str, bytes], rounds: int, seed: int, at_once: int = 8
) -> dict[str, Counter[str]]:
    """Sends every case `rounds` times, in random order; returns what came back, by case.

    `requests`: path → bytes of a good request, of which each call takes one.
    """
    chance = random.Random(seed)
    todo = [name for name in CASES for _ in range(rounds)]
    chance.shuffle(todo)
    outcomes: dict[str, Counter[str]] = {name: Counter() for name in CASES}
    remaining = iter(todo)

    async def sender() -> None:
        for name in remaining:
            path = chance.choice(sorted(requests))
            patience_s = _PATIENCE_WITH_THE_SILENT_S if name in MAY_BE_SILENT else _PATIENCE_S
            sent = CASES[name](path, requests[path], chance)
            outcomes[name][await _outcome(address, sent, patience_s)] += 1

    await asyncio.gather(*(sender() for _ in range(at_once)))
    return outcomes


def faults(outcomes: dict[str, Counter[str]], bugs: tuple[str, ...]) -> dict[str, dict[str, int]]:
    """Outcomes that must not be, by case; `bugs`: the statuses a caller must not see."""
    found: dict[str, dict[str, int]] = {}
    for name, counted in outcomes.items():
        allowed = BY_GRPC.get(name, frozenset())
        wrong = {
            outcome: count
            for outcome, count in counted.items()
            if (outcome in bugs and outcome not in allowed)
            or (outcome == SILENT and name not in MAY_BE_SILENT)
        }
        if wrong:
            found[name] = wrong
    return found


async def _outcome(address: str, sent: bytes, patience_s: float) -> str:
    host, port = address.rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        async with asyncio.timeout(patience_s):
            writer.write(sent)
            await writer.drain()
            return await _answer(reader)
    except TimeoutError:
        return SILENT
    except (ConnectionError, asyncio.IncompleteReadError):
        return ENDED
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader) -> str:
    decoder = hpack.Decoder()
    http_status = ""
    block = b""
    while True:
        head = await reader.readexactly(9)
        if head.startswith(b"HTTP/1"):
            return f"HTTP {(head + await reader.readline()).split()[1].decode()}"
        kind, flags = head[3], head[4]
        payload = await reader.readexactly(int.from_bytes(head[:3], "big"))
        if kind in (GOAWAY, RESET):
            return ENDED if kind == GOAWAY else "STREAM_RESET"
        if kind not in (HEADERS, CONTINUATION):
            continue
        block += payload
        if not flags & END_HEADERS:
            continue
        fields = {str(name): str(value) for name, value in decoder.decode(block)}
        block = b""
        http_status = fields.get(":status", http_status)
        if "grpc-status" in fields:
            name: str = _NAMES.get(int(fields["grpc-status"]), "UNKNOWN")
            return name
        if http_status != "200":
            return f"HTTP {http_status}"
