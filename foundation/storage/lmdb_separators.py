"""Takes deleted keys out of the inner pages of LMDB's trees, where they still separate what is around them.

A branch page holds, for each child but its first, the key with which the child once began. It stays when
that key is deleted. Any key above what is left of it and not above what the child begins with serves as
well; so the bytes behind the first in which it differs from the child's first key are set to 255. Whatever
of these bytes a reader sees meanwhile, or a machine that goes down has put on disk, the order is right.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import lmdb

from foundation.storage.lmdb_pages import PageFormatError, TreeNode, nodes_of, read_meta, roots


def forget_separators(
    environment: lmdb.Environment, data_file: Path, prefixes: Mapping[bytes, Sequence[bytes]]
) -> int:
    """Overwrites separators that begin with a prefix under which no key is left; returns how many.

    It holds LMDB's write lock for as long as it takes to read a path from the root for each prefix.

    Args:
        environment: open for writing.
        data_file: its `data.mdb`.
        prefixes: by name of the database, whose keys are in the order of their bytes.

    Raises:
        PageFormatError: the file is not of the format that this program knows.
        OSError: it cannot be written.
        lmdb.Error: of the transaction.
    """
    file = os.open(data_file, os.O_RDWR | os.O_CLOEXEC)
    try:
        with environment.begin(write=True) as none_writes:
            meta = read_meta(file, none_writes.id() - 1)
            found = roots(file, meta)
            count = 0
            for name, wanted in prefixes.items():
                tree = _Tree(file, meta.page_bytes)
                for prefix in wanted:
                    count += tree.forget(found[name], prefix) if name in found else 0
            none_writes.abort()
        if count:
            os.fsync(file)
    finally:
        os.close(file)
    return count


class _Tree:
    """The branch pages of one database of a commit that cannot change."""

    def __init__(self, file: int, page_bytes: int) -> None:
        self._file = file
        self._page_bytes = page_bytes

    def forget(self, root: int | None, prefix: bytes) -> int:
        pending, count = [] if root is None else [root], 0
        while pending:
            nodes = nodes_of(self._file, pending.pop(), self._page_bytes)
            for position, node in enumerate(nodes):
                if node.child is None:
                    break
                if node.key.startswith(prefix):
                    count += self._overwrite(node, prefix)
                ends = nodes[position + 1].key if position + 1 < len(nodes) else None
                begins_before = position == 0 or node.key <= prefix or node.key.startswith(prefix)
                if begins_before and (ends is None or ends > prefix):
                    pending.append(node.child)
        return count

    def _overwrite(self, node: TreeNode, prefix: bytes) -> bool:
        first = self._first_key(node)
        if first.startswith(prefix) or not node.key < first:
            return False
        differs = next(
            (at for at, (one, other) in enumerate(zip(node.key, first, strict=False)) if one != other), None
        )
        if differs is None:
            raise PageFormatError(f"a key of {len(node.key)} bytes begins a longer one")
        behind = len(node.key) - differs - 1
        os.pwrite(self._file, b"\xff" * behind, node.key_at + differs + 1)
        return behind > 0

    def _first_key(self, node: TreeNode) -> bytes:
        """The first key below a node of a branch page."""
        child = node.child
        while child is not None:
            (first, *_) = nodes_of(self._file, child, self._page_bytes)
            child, key = first.child, first.key
        return key
