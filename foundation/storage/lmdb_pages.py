"""The page format of LMDB 0.9 files, as far as it says which bytes of a file mean something.

Source: `mdb.c` of LMDB 0.9 (data version 1): pages begin with a header of 16 bytes: number (uint64), pad
(uint16), flags (uint16) and either the bounds of the gap between a page's node offsets and its nodes (2 ×
uint16), or the length of an overflow run in pages (uint32). Two meta pages come first; the newer one names
the roots.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HEADER_BYTES = 16
FIRST_PAGE = 2
"""Number of the first page behind the meta pages."""

_HEADER = struct.Struct("<QHHHH")
_BRANCH, _LEAF, _OVERFLOW = 0x01, 0x02, 0x04
_KIND = _BRANCH | _LEAF | _OVERFLOW
_LEAF2 = 0x20
_MAGIC, _VERSION = 0xBEEFC0DE, 1
# magic, version, address, map size; then of the free list's and the main database: pad (of the first: the
# page size), flags, depth, branch pages, leaf pages, overflow pages, entries, root; then last page and
# transaction.
_META = struct.Struct("<IIQQ" + "IHHQQQQQ" * 2 + "QQ")
_NODE = struct.Struct("<HHHH")
_DATABASE = struct.Struct("<IHHQQQQQ")
_BIG_DATA = 0x01
_NO_ROOT = 0xFFFF_FFFF_FFFF_FFFF
_READ_BYTES = 1 << 20


class PageFormatError(Exception):
    """A file's pages are not as this program knows them; nothing of it was written."""


@dataclass(frozen=True, slots=True)
class Meta:
    """What a meta page says of one commit: its transaction, and where its pages are."""

    transaction: int
    page_bytes: int
    free_root: int
    main_root: int
    last_page: int


@dataclass(frozen=True, slots=True)
class TreeNode:
    """A node of a page: its key, where in the file that is, and the page below it; None in a leaf."""

    key: bytes
    key_at: int
    child: int | None


@dataclass(frozen=True, slots=True)
class PageGap:
    """Bytes of a live page or run that mean nothing: from `start` up to `stop`, offsets in the file."""

    start: int
    stop: int


def read_meta(file: int, transaction: int) -> Meta:
    """The meta page of a commit of the file with descriptor `file`.

    Raises:
        PageFormatError: neither meta page is of this transaction, or they are of another format.
    """
    page_bytes = 0
    for position in range(FIRST_PAGE):
        # The first meta page says how large pages are.
        content = os.pread(file, _META.size, position * page_bytes + HEADER_BYTES)
        if len(content) < _META.size:
            raise PageFormatError("the file ends within its meta pages")
        fields = _META.unpack(content)
        if fields[0] != _MAGIC or fields[1] != _VERSION:
            raise PageFormatError("the file's format is not that of LMDB 0.9")
        page_bytes = page_bytes or fields[4]
        if fields[-1] == transaction:
            return Meta(transaction, page_bytes, fields[11], fields[19], fields[-2])
    raise PageFormatError(f"no meta page of transaction {transaction} is in the file")


def free_pages(file: int, meta: Meta) -> Iterator[tuple[int, NDArray[np.uint64]]]:
    """(transaction, uint64[n] page numbers) of every record of the free list of a commit.

    The pages were freed by that transaction and belong to no later commit. The caller keeps the commit's
    pages from being used again.
    """
    if meta.free_root == _NO_ROOT:
        return
    pending = [meta.free_root]
    while pending:
        number = pending.pop()
        page = _page(file, number, meta.page_bytes)
        kind = _kind(page, number)
        for at in _node_offsets(page).tolist():
            low, high, flags, key_bytes = _NODE.unpack_from(page, at)
            if kind == _BRANCH:
                pending.append(low | high << 16 | flags << 32)
                continue
            key_at = at + _NODE.size
            (transaction,) = struct.unpack_from("<Q", page, key_at)
            data_at, data_bytes = key_at + key_bytes, low | high << 16
            if flags & _BIG_DATA:
                (run,) = struct.unpack_from("<Q", page, data_at)
                data = os.pread(file, data_bytes, run * meta.page_bytes + HEADER_BYTES)
            else:
                data = page[data_at : data_at + data_bytes]
            (count,) = struct.unpack_from("<Q", data)
            yield transaction, np.frombuffer(data, "<u8", count, 8)


def nodes_of(file: int, number: int, page_bytes: int) -> list[TreeNode]:
    """The nodes of a branch or leaf page in the order of their keys. Raises PageFormatError for others."""
    page = _page(file, number, page_bytes)
    kind = _kind(page, number)
    if kind == _OVERFLOW:
        raise PageFormatError(f"page {number} is none of a tree")
    found = []
    for at in _node_offsets(page).tolist():
        low, high, flags, key_bytes = _NODE.unpack_from(page, at)
        key_at = at + _NODE.size
        child = low | high << 16 | flags << 32 if kind == _BRANCH else None
        found.append(TreeNode(page[key_at : key_at + key_bytes], number * page_bytes + key_at, child))
    return found


def roots(file: int, meta: Meta) -> dict[bytes, int | None]:
    """Root page of each named database of a commit, None of an empty one.

    Raises:
        PageFormatError: a database does not order its keys by their bytes, or holds several values of one.
    """
    found: dict[bytes, int | None] = {}
    pending = [] if meta.main_root == _NO_ROOT else [meta.main_root]
    while pending:
        number = pending.pop()
        for node in nodes_of(file, number, meta.page_bytes):
            if node.child is not None:
                pending.append(node.child)
                continue
            content = os.pread(file, _DATABASE.size, node.key_at + len(node.key))
            _, flags, *_, root = _DATABASE.unpack(content)
            if flags:
                raise PageFormatError(f"database {node.key!r} orders its keys in another way ({flags:#x})")
            found[node.key] = None if root == _NO_ROOT else root
    return found


def gaps_of_live_pages(file: int, meta: Meta, is_free: NDArray[np.bool_]) -> Iterator[PageGap]:
    """The bytes of a commit's live pages that mean nothing, where they are not zero.

    Args:
        file: descriptor of the file.
        meta: of the commit, whose pages the caller keeps from being used again.
        is_free: bool[last page + 1], which pages are free in it.

    Raises:
        PageFormatError: a live page has no header of its own.
    """
    page_bytes, number = meta.page_bytes, FIRST_PAGE
    runs: dict[int, int] = {}
    values: dict[int, int] = {}
    per_read = max(_READ_BYTES // page_bytes, 1)
    while number <= meta.last_page:
        if is_free[number]:
            number += 1
            continue
        first = number
        block = os.pread(file, per_read * page_bytes, first * page_bytes)
        last = min(first + len(block) // page_bytes, meta.last_page + 1)
        if last == first:
            raise PageFormatError(f"the file ends before page {first}")
        while number < last:
            if is_free[number]:
                number += 1
                continue
            page = memoryview(block)[(number - first) * page_bytes :][:page_bytes]
            kind = _kind(page, number)
            if kind == _OVERFLOW:
                (runs[number],) = struct.unpack_from("<I", page, 12)
                number += max(runs[number], 1)
                continue
            _, _, flags, lower, upper = _HEADER.unpack_from(page)
            if flags & _LEAF2:
                raise PageFormatError(f"page {number} holds keys of one size, which no database here has")
            if _is_more_than_zeros(bytes(page[lower:upper])):
                yield PageGap(number * page_bytes + lower, number * page_bytes + upper)
            if kind == _LEAF:
                values.update(_large_values(page))
            number += 1
    for run, pages in runs.items():
        start, stop = (
            run * page_bytes + HEADER_BYTES + values.get(run, pages * page_bytes),
            (run + pages) * page_bytes,
        )
        if start < stop and _is_more_than_zeros(os.pread(file, stop - start, start)):
            yield PageGap(start, stop)


def _is_more_than_zeros(content: bytes) -> bool:
    return content.count(0) < len(content)


def _page(file: int, number: int, page_bytes: int) -> bytes:
    return os.pread(file, page_bytes, number * page_bytes)


def _kind(page: bytes | memoryview, number: int) -> int:
    own, _, flags, lower, upper = _HEADER.unpack_from(page)
    kind = flags & _KIND
    if own != number or kind not in (_BRANCH, _LEAF, _OVERFLOW):
        raise PageFormatError(f"page {number} has the header of page {own} with flags {flags:#x}")
    if kind != _OVERFLOW and not HEADER_BYTES <= lower <= upper <= len(page):
        raise PageFormatError(f"page {number} has its nodes from {upper} and their offsets up to {lower}")
    return int(kind)


def _node_offsets(page: bytes | memoryview) -> NDArray[np.uint16]:
    _, _, _, lower, _ = _HEADER.unpack_from(page)
    return np.frombuffer(page, "<u2", (lower - HEADER_BYTES) // 2, HEADER_BYTES)


def _large_values(page: memoryview) -> dict[int, int]:
    """First page → bytes, of the values of a leaf that lie in overflow runs."""
    offsets = _node_offsets(page)
    flags = np.frombuffer(page, "<u2")[(offsets + 4) // 2]
    found = {}
    for at in offsets[(flags & _BIG_DATA) != 0].tolist():
        low, high, _, key_bytes = _NODE.unpack_from(page, at)
        (run,) = struct.unpack_from("<Q", page, at + _NODE.size + key_bytes)
        found[run] = low | high << 16
    return found
