"""The connection against servers that misbehave: scripted frames, then anything at all."""

import asyncio
import struct
from collections.abc import Callable

import hpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest import http2_frames as h2
from loadtest.call import Call, Limits, framed_message
from loadtest.http2 import Connection
from loadtest.status import Status

HEADERS = [(":method", "POST"), (":path", "/a.B/C"), ("te", "trailers")]
LAST = h2.END_HEADERS | h2.END_STREAM
OPENING = h2.frame(h2.SETTINGS, 0, 0)


class Wire(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.closed = False

    def write(self, data: bytes) -> None:  # type: ignore[override]
        self.sent += data

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def frames(self) -> list[tuple[int, int, int, bytes]]:
        found, data = [], self.sent.removeprefix(h2.PREFACE)
        while data:
            high, low, kind, flags, stream = h2.frame_header.unpack_from(data)
            size = high << 16 | low
            found.append((kind, flags, stream, data[9 : 9 + size]))
            data = data[9 + size :]
        return found


def block(*fields: tuple[str, str]) -> bytes:
    encoder = hpack.Encoder()
    encoder.header_table_size = 0
    return encoder.encode(fields)


ANSWER = block((":status", "200"), ("content-type", "application/grpc"))
TRAILERS = block(("grpc-status", "0"))


def answered(stream: int, message: bytes = b"hello") -> bytes:
    return (
        h2.frame(h2.HEADERS, h2.END_HEADERS, stream, ANSWER)
        + h2.frame(h2.DATA, 0, stream, framed_message(message))
        + h2.frame(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, stream, TRAILERS)
    )


class Scripted:
    """A connection whose server is the test."""

    def __init__(self, opening: bytes = OPENING) -> None:
        self.handed_back: list[Call] = []
        self.ended: list[Call] = []
        self.connection = Connection(
            Limits(1_000), lambda _, calls: self.handed_back.extend(call for call, *_ in calls), lambda: 7
        )
        self.wire = Wire()
        self.connection.connection_made(self.wire)
        if opening:
            self.connection.data_received(opening)

    def start(self, number: int = 0, data: bytes = b"x", *, streaming: bool = False) -> Call:
        call = Call(number, self.ended.append, server_streaming=streaming)
        self.connection.start(call, HEADERS, framed_message(data), True)
        return call

    async def sent(self) -> list[tuple[int, int, int, bytes]]:
        await asyncio.sleep(0)
        return self.wire.frames()


async def test_a_call_is_answered_however_the_bytes_are_cut() -> None:
    whole = answered(1)
    for cut in range(len(whole)):
        server = Scripted()
        call = server.start()
        server.connection.data_received(whole[:cut])
        server.connection.data_received(whole[cut:])
        assert (call.status, call.answer, call.answers) == (Status.OK, b"hello", 1)
        assert server.ended == [call]


async def test_the_same_headers_are_sent_as_a_few_bytes() -> None:
    server = Scripted()
    for number in range(3):
        server.start(number)
    sizes = [len(payload) for kind, _, _, payload in await server.sent() if kind == h2.HEADERS]
    assert sizes[0] > sizes[1] == sizes[2]
    assert sizes[1] <= len(HEADERS)


async def test_no_more_streams_are_opened_than_the_server_allows() -> None:
    server = Scripted(h2.frame(h2.SETTINGS, 0, 0, struct.pack(">HL", h2.MAX_CONCURRENT_STREAMS, 2)))
    calls = [server.start(number) for number in range(3)]
    assert [kind for kind, *_ in await server.sent()].count(h2.HEADERS) == 2
    server.connection.data_received(answered(1))
    assert [kind for kind, *_ in await server.sent()].count(h2.HEADERS) == 3
    server.connection.data_received(answered(3) + answered(5))
    assert [call.status for call in calls] == [Status.OK] * 3


async def test_data_waits_for_the_server_s_window() -> None:
    server = Scripted(h2.frame(h2.SETTINGS, 0, 0, struct.pack(">HL", h2.INITIAL_WINDOW_SIZE, 10)))
    server.start(data=b"y" * 20)

    async def data() -> bytes:
        return b"".join(payload for kind, _, _, payload in await server.sent() if kind == h2.DATA)

    assert len(await data()) == 10
    server.connection.data_received(h2.frame(h2.WINDOW_UPDATE, 0, 1, h2.number(4)))
    assert len(await data()) == 14
    server.connection.data_received(h2.frame(h2.WINDOW_UPDATE, 0, 1, h2.number(100)))
    assert await data() == framed_message(b"y" * 20)
    assert (await server.sent())[-1][1] == h2.END_STREAM


async def test_calls_that_the_server_never_began_are_handed_back() -> None:
    server = Scripted()
    first, second = server.start(0), server.start(1)
    server.connection.data_received(h2.frame(h2.GOAWAY, 0, 0, struct.pack(">LL", 1, h2.NO_ERROR)))
    assert server.handed_back == [second]
    server.connection.data_received(answered(1))
    assert first.status is Status.OK
    assert second.status is None
    assert server.wire.closed


@pytest.mark.parametrize(
    ("frames", "status", "message"),
    [
        (h2.frame(h2.RST_STREAM, 0, 1, h2.number(7)), Status.UNAVAILABLE, "REFUSED_STREAM"),
        (h2.frame(h2.RST_STREAM, 0, 1, h2.number(8)), Status.CANCELLED, "CANCEL"),
        (
            h2.frame(h2.HEADERS, h2.END_HEADERS, 1, block((":status", "503"))),
            Status.UNAVAILABLE,
            "unexpected HTTP status code 503",
        ),
        (
            h2.frame(h2.HEADERS, LAST, 1, block(("grpc-status", "5"), ("grpc-message", "no%20x"))),
            Status.NOT_FOUND,
            "no x",
        ),
        (h2.frame(h2.HEADERS, LAST, 1, TRAILERS), Status.INTERNAL, "0 messages answer"),
        (h2.frame(h2.HEADERS, LAST, 1, ANSWER), Status.INTERNAL, "no grpc-status"),
        (h2.frame(h2.DATA, 0, 1, framed_message(b"z" * 2_000)), Status.RESOURCE_EXHAUSTED, "larger than max"),
        (h2.frame(h2.DATA, 0, 1, b"\1\0\0\0\1x"), Status.INTERNAL, "compressed with"),
        (h2.frame(h2.DATA, h2.END_STREAM, 1, framed_message(b"")), Status.INTERNAL, "without trailers"),
        (h2.frame(h2.HEADERS, h2.END_HEADERS, 1, b"\xff\xff\xff"), Status.UNAVAILABLE, "cannot be decoded"),
        (h2.frame(h2.CONTINUATION, h2.END_HEADERS, 1, ANSWER), Status.UNAVAILABLE, "without a header block"),
        (h2.frame(h2.PUSH_PROMISE, h2.END_HEADERS, 1, ANSWER), Status.UNAVAILABLE, "push is switched off"),
        (h2.frame(h2.WINDOW_UPDATE, 0, 1, b"x"), Status.UNAVAILABLE, "a frame of the wrong length"),
        (h2.frame(h2.SETTINGS, 0, 0, b"12345"), Status.UNAVAILABLE, "a frame of the wrong length"),
        (h2.frame(h2.DATA, h2.PADDED, 1, b"\xffx"), Status.UNAVAILABLE, "more padding than payload"),
        (b"\xff\xff\xff\0\0\0\0\0\1", Status.UNAVAILABLE, "a frame of more than"),
    ],
)  # fmt: skip
async def test_what_goes_wrong_ends_the_call_with_its_status(
    frames: bytes, status: Status, message: str
) -> None:
    server = Scripted()
    call = server.start()
    server.connection.data_received(frames)
    assert call.status is status
    assert message in call.message
    assert server.ended == [call]


async def test_pings_are_answered() -> None:
    server = Scripted()
    server.connection.data_received(h2.frame(h2.PING, 0, 0, b"12345678"))
    assert (h2.PING, h2.ACK, 0, b"12345678") in await server.sent()


async def test_a_header_block_in_pieces_is_put_together() -> None:
    server = Scripted()
    call = server.start()
    pieces = [ANSWER[:2], ANSWER[2:5], ANSWER[5:]]
    server.connection.data_received(
        h2.frame(h2.HEADERS, 0, 1, pieces[0])
        + h2.frame(h2.CONTINUATION, 0, 1, pieces[1])
        + h2.frame(h2.CONTINUATION, h2.END_HEADERS, 1, pieces[2])
        + answered(1)[len(h2.frame(h2.HEADERS, 0, 1, ANSWER)) :]
    )
    assert call.status is Status.OK


frames = st.builds(
    h2.frame,
    st.integers(0, 12),
    st.integers(0, 255),
    st.sampled_from([0, 1, 3, 5, 2**31 - 1]),
    st.one_of(
        st.binary(max_size=40),
        st.sampled_from(
            [ANSWER, TRAILERS, framed_message(b"x"), h2.number(1), struct.pack(">LL", 1, 2), b"pingping"]
        ),
    ),
)
anything = st.lists(
    st.one_of(frames, st.binary(max_size=60), st.just(answered(1)), st.just(OPENING)), max_size=12
)


@settings(deadline=None, max_examples=150)
@given(anything, st.booleans())
def test_whatever_arrives_every_call_ends_exactly_once(chunks: list[bytes], streaming: bool) -> None:
    async def receive() -> None:
        server = Scripted()
        calls = [server.start(number, streaming=streaming) for number in range(3)]
        for chunk in chunks:
            server.connection.data_received(chunk)
        await asyncio.sleep(0)
        server.connection.connection_lost(None)
        ended = server.ended + server.handed_back
        assert sorted(call.index for call in ended) == [call.index for call in calls]
        assert all(call.status is not None for call in server.ended)

    asyncio.run(receive())


async def test_a_silent_server_is_probed_and_then_given_up() -> None:
    now = [0]
    clock: Callable[[], int] = lambda: now[0]  # noqa: E731
    connection = Connection(Limits(), lambda *_: None, clock)
    wire = Wire()
    connection.connection_made(wire)
    connection.data_received(OPENING)
    ended: list[Call] = []
    connection.start(Call(0, ended.append), HEADERS, framed_message(b""), True)
    now[0] = 1_500_000_000
    connection.probe(1.0)
    await asyncio.sleep(0)
    assert wire.frames()[-1][0] == h2.PING
    assert not ended
    now[0] = 2_500_000_000
    connection.probe(1.0)
    assert ended[0].status is Status.UNAVAILABLE
    assert "keepalive" in ended[0].message


async def test_a_long_server_stream_is_given_a_new_window_before_the_first_is_used_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("loadtest.http2._REPLENISH_AT", 100)
    server = Scripted()
    call = server.start(streaming=True)
    server.connection.data_received(h2.frame(h2.HEADERS, h2.END_HEADERS, 1, ANSWER))
    for _ in range(4):
        server.connection.data_received(h2.frame(h2.DATA, 0, 1, framed_message(b"z" * 45)))
    grown = [
        int.from_bytes(payload, "big")
        for kind, _, stream, payload in await server.sent()
        if kind == h2.WINDOW_UPDATE and stream == 1
    ]
    assert grown == [100, 100]
    assert call.answers == 4


async def test_an_http_status_in_place_of_an_answer_names_the_status() -> None:
    server = Scripted()
    call = server.start()
    server.connection.data_received(h2.frame(h2.HEADERS, LAST, 1, block((":status", "503"))))
    assert call.status is Status.UNAVAILABLE
    assert "503" in call.message
