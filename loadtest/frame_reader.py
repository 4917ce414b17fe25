"""From the bytes of a connection to whole HTTP/2 frames that keep the rules of RFC 9113, sections 4 and 6."""

from __future__ import annotations

from loadtest import http2_frames as h2
from loadtest.header_blocks import LARGEST_HEADER_BLOCK

# Kind, flags, stream and payload.
Frame = tuple[int, int, int, bytes]


class FrameReader:
    """Cuts what arrives into frames, however the bytes are split.

    A header block that goes on in CONTINUATION frames comes out as one HEADERS frame with the whole block,
    without padding and priority. `broken` names the first rule that the server broke, empty for none: nothing
    is read after it.
    """

    def __init__(self) -> None:
        """A reader at the beginning of a connection."""
        self.broken = ""
        self._rest = b""
        self._block: tuple[int, int, bytearray] | None = None

    def read(self, data: bytes) -> list[Frame]:
        """The frames that `data` completes, those before a broken rule included."""
        frames: list[Frame] = []
        if self._rest:
            data = self._rest + data
        at, size = 0, len(data)
        while size - at >= 9 and not self.broken:
            high, low, kind, flags, stream = h2.frame_header.unpack_from(data, at)
            length = high << 16 | low
            if length > h2.DEFAULT_FRAME:
                self.broken = f"a frame of more than {h2.DEFAULT_FRAME} bytes"
                break
            end = at + 9 + length
            if end > size:
                break
            payload = data[at + 9 : end]
            at = end
            stream &= h2.LAST_STREAM_ID
            if self._block is None and (kind, flags) in _PLAIN:
                frames.append((kind, flags, stream, payload))
            else:
                self._uncommon(frames, kind, flags, stream, payload)
        self._rest = b"" if self.broken or at == size else data[at:]
        return frames

    def _uncommon(self, frames: list[Frame], kind: int, flags: int, stream: int, payload: bytes) -> None:
        self.broken = h2.broken_rule(kind, flags, payload)
        if self.broken:
            return
        if kind == h2.CONTINUATION:
            self._continued(frames, flags, stream, payload)
        elif self._block is not None:
            self.broken = "a header block that another frame interrupts"
        elif kind == h2.HEADERS:
            payload = h2.unpadded(kind, flags, payload)
            if flags & h2.END_HEADERS:
                frames.append((kind, flags, stream, payload))
            else:
                self._block = (stream, flags, bytearray(payload))
        elif kind == h2.PUSH_PROMISE:
            self.broken = "a PUSH_PROMISE although push is switched off"
        else:
            frames.append((kind, flags, stream, payload))

    def _continued(self, frames: list[Frame], flags: int, stream: int, payload: bytes) -> None:
        if self._block is None or self._block[0] != stream:
            self.broken = "a CONTINUATION frame without a header block before it"
            return
        _, first_flags, block = self._block
        block += payload
        if len(block) > LARGEST_HEADER_BLOCK:
            self.broken = "a header block of more than 1 MiB"
        elif flags & h2.END_HEADERS:
            self._block = None
            frames.append((h2.HEADERS, first_flags, stream, bytes(block)))


# Frames that can break no rule by themselves, with the flags that nearly all of them have.
_PLAIN = {
    (h2.DATA, 0),
    (h2.DATA, h2.END_STREAM),
    (h2.HEADERS, h2.END_HEADERS),
    (h2.HEADERS, h2.END_HEADERS | h2.END_STREAM),
}
