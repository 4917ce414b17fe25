"""Frames out of bytes: the same however they are cut, and nothing after a broken rule."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from loadtest import http2_frames as h2
from loadtest.frame_reader import FrameReader

FRAMES = [
    (h2.SETTINGS, 0, 0, b""),
    (h2.HEADERS, h2.END_HEADERS, 1, b"block"),
    (h2.DATA, 0, 1, b"x" * 300),
    (h2.DATA, h2.PADDED, 1, b"\x02yy\0\0"),
    (h2.PING, 0, 0, b"12345678"),
    (200, 7, 3, b"a kind that nobody knows"),
    (h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, 1, b"trailers"),
]
WHOLE = b"".join(h2.frame(*frame) for frame in FRAMES)


@given(st.lists(st.integers(0, len(WHOLE)), max_size=8))
def test_frames_are_the_same_however_the_bytes_are_cut(cuts: list[int]) -> None:
    reader, frames = FrameReader(), []
    edges = [0, *sorted(cuts), len(WHOLE)]
    for begin, end in pairwise(edges):
        frames += reader.read(WHOLE[begin:end])
    assert frames == FRAMES
    assert not reader.broken


def test_a_block_in_pieces_is_one_frame_without_its_padding_and_priority() -> None:
    padded = b"\x03" + b"\0" * 5 + b"one" + b"\0" * 3
    reader = FrameReader()
    frames = reader.read(
        h2.frame(h2.HEADERS, h2.PADDED | h2.PRIORITY | h2.END_STREAM, 5, padded)
        + h2.frame(h2.CONTINUATION, 0, 5, b"two")
        + h2.frame(h2.CONTINUATION, h2.END_HEADERS, 5, b"three")
    )
    assert [(kind, stream, payload) for kind, _, stream, payload in frames] == [
        (h2.HEADERS, 5, b"onetwothree")
    ]
    assert frames[0][1] & h2.END_STREAM


def test_what_comes_before_a_broken_rule_is_read_and_nothing_after_it() -> None:
    reader = FrameReader()
    good = h2.frame(h2.PING, 0, 0, b"12345678")
    assert len(reader.read(good + h2.frame(h2.PING, 0, 0, b"short") + good)) == 1
    assert reader.broken == "a frame of the wrong length"
    assert reader.read(good) == []


def test_another_frame_inside_a_header_block_breaks_the_connection() -> None:
    reader = FrameReader()
    assert reader.read(h2.frame(h2.HEADERS, 0, 1, b"one") + h2.frame(h2.DATA, 0, 1, b"x")) == []
    assert "interrupts" in reader.broken
