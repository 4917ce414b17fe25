"""Small pictures of items for people, out of the snapshot in service."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from protos.shopfront.v1 import admin_pb2
from router.engine.live import LiveEngine
from router.errors import CallerError
from snapshot.thumbnails import CONTENT_TYPE, THUMBNAILS_FOLDER, Thumbnails


class ItemPictures:
    """Answers with the pictures of the live snapshot; belongs to one event loop."""

    def __init__(self, live: LiveEngine) -> None:
        """`live`: the engine whose snapshot has them, where its shop has any."""
        self._live = live
        self._opened: tuple[Path, Thumbnails | None] | None = None

    def mark(self, items: Sequence[admin_pb2.ItemSummary]) -> None:
        """Sets `has_picture` of those that have one. Raises SnapshotError where the files are torn."""
        thumbnails = self._thumbnails()
        if thumbnails is None or not items:
            return
        dense = self._live.current.catalogue.dense([each.item_id for each in items])
        for each, has_picture in zip(items, thumbnails.has(dense).tolist(), strict=True):
            each.has_picture = has_picture

    def read(self, request: admin_pb2.ReadItemPictureRequest) -> admin_pb2.ReadItemPictureResponse:
        """The picture of an item. Raises `CallerError` where there is none."""
        thumbnails = self._thumbnails()
        item = int(self._live.current.catalogue.dense([request.item_id])[0])
        content = b"" if thumbnails is None or not item else thumbnails.read(item)
        if not content:
            raise CallerError.of("item_id", "has no picture in the snapshot in service")
        return admin_pb2.ReadItemPictureResponse(content=content, content_type=CONTENT_TYPE)

    def _thumbnails(self) -> Thumbnails | None:
        path = self._live.current.snapshot.path
        if self._opened is None or self._opened[0] != path:
            self._opened = (path, Thumbnails.open(path / THUMBNAILS_FOLDER))
        return self._opened[1]
