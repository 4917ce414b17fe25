"""HPACK (RFC 7541) for a client that sends the same header fields over and over.

Requests: once all fields are in the dynamic table, the same fields give the same few bytes. Answers: the
client announces a table of size 0, so a block needs no state and its meaning can be looked up by its bytes.
"""

from __future__ import annotations

import hpack

from loadtest.call import Headers

LARGEST_HEADER_BLOCK = 2**20
_DEFAULT_TABLE = 4_096
_REMEMBERED = 256


class HeaderBlocks:
    """Encoder and decoder of one connection."""

    def __init__(self) -> None:
        """The state of one connection, without dynamic tables in either direction."""
        self._encoder = hpack.Encoder()
        self._decoder = hpack.Decoder(max_header_list_size=LARGEST_HEADER_BLOCK)
        self._decoder.max_allowed_table_size = 0
        self._decoder.header_table_size = 0
        self._meanings: dict[bytes, Headers] = {}
        self._steady: dict[int, tuple[Headers, bytes]] = {}

    def limit_table(self, size: int) -> None:
        """The server's SETTINGS_HEADER_TABLE_SIZE in bytes; no more than the default is used."""
        self._encoder.header_table_size = min(size, _DEFAULT_TABLE)
        self._steady.clear()

    def encoded(self, headers: Headers) -> bytes:
        """The block that sends `headers` next; pass the same object again for fields that are sent again."""
        steady = self._steady.get(id(headers))
        if steady is not None and steady[0] is headers:
            return steady[1]
        table = list(self._encoder.header_table.dynamic_entries)
        block: bytes = self._encoder.encode(headers, huffman=False)
        if list(self._encoder.header_table.dynamic_entries) != table:
            # A new entry moves the others: blocks encoded before would now mean something else.
            self._steady.clear()
        elif len(self._steady) < _REMEMBERED:
            self._steady[id(headers)] = (headers, block)
        return block

    def decoded(self, block: bytes) -> Headers:
        """The fields of an answer's block; raises hpack.HPACKError where it is malformed."""
        meaning = self._meanings.get(block)
        if meaning is None:
            meaning = [(str(name), str(value)) for name, value in self._decoder.decode(block)]
            if len(self._meanings) < _REMEMBERED and not self._decoder.header_table.dynamic_entries:
                self._meanings[block] = meaning
        return meaning
