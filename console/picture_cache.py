"""Pictures that were asked for last, so that twenty open pages ask the router once for each."""

from __future__ import annotations

from collections import OrderedDict

from protos.shopfront.v1.admin_pb2 import ReadItemPictureResponse

MOST_BYTES = 16 * 2**20

Key = tuple[str, str]
"""Snapshot and item."""


class PictureCache:
    """At most `MOST_BYTES` of pictures, those that were asked for longest ago leave first."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        """Keeps none yet."""
        self._most = most_bytes
        self._bytes = 0
        self._kept: OrderedDict[Key, ReadItemPictureResponse] = OrderedDict()

    def find(self, key: Key) -> ReadItemPictureResponse | None:
        """The picture of a key, None where it is not kept."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def keep(self, key: Key, picture: ReadItemPictureResponse) -> None:
        """Keeps a picture, unless it is larger than all that may be kept."""
        if len(picture.content) > self._most:
            return
        before = self._kept.pop(key, None)
        self._bytes += len(picture.content) - (len(before.content) if before is not None else 0)
        self._kept[key] = picture
        while self._bytes > self._most:
            _, left = self._kept.popitem(last=False)
            self._bytes -= len(left.content)
