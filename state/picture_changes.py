"""Pictures of items that arrived while the shop was open, and those that were deleted: the latest of each."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

CONTENT_BYTES = 16
ALL_CONTENTS = bytes(CONTENT_BYTES)
"""In the place of a content: all pictures of the item."""
MAKER_BYTES = 8
"""First bytes of a record: they name what computed it."""

Outcome = Literal["stored", "deleted", "unchanged", "too_many"]
"""What became of a change; unchanged: it was so already; too_many: the item has as many as it may have."""

_HEAD = struct.Struct(">cQ")
_PUT, _DELETED = b"p", b"d"


@dataclass(frozen=True, slots=True)
class PictureChange:
    """A picture that was put, or deleted.

    Attributes:
        item: the item's key (`snapshot.item_keys`).
        content: 16 bytes that name the picture's content, or `ALL_CONTENTS` of a deletion.
        record: what is computed of it, its first `MAKER_BYTES` naming what computed it; None = deleted.
        revision: number of the change, from 1; 0 = not stored yet.
    """

    item: int
    content: bytes
    record: bytes | None
    revision: int = 0

    @property
    def key(self) -> bytes:
        """24 bytes: the item, big-endian, and the content."""
        return self.item.to_bytes(8, "big") + self.content

    def encoded(self, revision: int) -> bytes:
        """What is stored of it under a revision."""
        return _HEAD.pack(_DELETED if self.record is None else _PUT, revision) + (self.record or b"")


class PictureChanges(Protocol):
    """The latest change of each picture, numbered, behind user state's URL.

    A change replaces the one before of the same item and content; a deletion of all of an item replaces all
    of the item's. Methods are synchronous and may wait for a network.
    """

    def change(self, changes: Sequence[PictureChange], most_per_item: int) -> list[Outcome]:
        """Applies changes in their order; durable on return, and repeatable.

        A picture is unchanged where it is stored already, computed by the same maker. Killed half way, it has
        applied some of them whole, from the first on.

        Args:
            changes: what to put and delete.
            most_per_item: pictures put that an item has at most; further ones are `too_many`.

        Raises:
            StorageError: the store cannot take more or does not confirm; send all of them again.
        """
        ...

    def since(self, revision: int) -> Iterator[PictureChange]:
        """The changes after a revision that nothing has replaced, by their revisions. Raises StorageError."""
        ...

    def revision(self) -> int:
        """Number of the last change, 0 where there was none. Raises StorageError."""
        ...


def decoded(key: bytes, stored: bytes) -> PictureChange:
    """The change of what is stored under a key."""
    kind, revision = _HEAD.unpack_from(stored)
    record = stored[_HEAD.size :] if kind == _PUT else None
    return PictureChange(int.from_bytes(key[:8], "big"), key[8:], record, revision)


def maker_of(stored: bytes) -> bytes | None:
    """What computed the record of what is stored; None of a deletion."""
    kind, _ = _HEAD.unpack_from(stored)
    return stored[_HEAD.size : _HEAD.size + MAKER_BYTES] if kind == _PUT else None
