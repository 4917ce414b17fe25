"""`shopfront.v1.VisualService`: items by what they look like."""

from __future__ import annotations

from typing import TYPE_CHECKING

from protos.shopfront.v1 import visual_pb2
from router.errors import ForbiddenError
from router.limits import MAX_EXCLUDED
from router.service.call import Call
from server.rpc.service import MethodOptions, Service
from vision.bounds import MAX_DELETED, MAX_PUT

if TYPE_CHECKING:
    from server.running_service import RunningService
    from vision.put_pictures import PictureUploads

# A photo of 1.5 MiB, and 1,000 excluded items with the longest ids; pictures that are put, together.
_REQUEST_BYTES = 2 * 2**20
# 1,000 of the longest ids, with the names of their pictures.
_NAMES_BYTES = 2**19


class VisualHandler:
    """Answers through the photo search of this replica."""

    def __init__(self, running: RunningService) -> None:
        """`running`: the service of this replica."""
        self._photo_search = running.photo_search
        self._running = running

    async def SearchByImage(
        self, request: visual_pb2.SearchByImageRequest, call: Call
    ) -> visual_pb2.SearchByImageResponse:
        """Items that look like a picture."""
        return await self._photo_search.search(request, call)

    async def DetectObjects(
        self, request: visual_pb2.DetectObjectsRequest, call: Call
    ) -> visual_pb2.DetectObjectsResponse:
        """Where things are in a picture."""
        return await self._running.objects.detect(request, call)

    async def PredictCategory(
        self, request: visual_pb2.PredictCategoryRequest, call: Call
    ) -> visual_pb2.PredictCategoryResponse:
        """Categories of what a picture shows."""
        return await self._photo_search.predict(request, call)

    async def MatchOutfit(
        self, request: visual_pb2.MatchOutfitRequest, call: Call
    ) -> visual_pb2.MatchOutfitResponse:
        """What goes with an item."""
        return await self._running.outfits.match(request, call)

    async def PutPictures(
        self, request: visual_pb2.PutPicturesRequest, call: Call
    ) -> visual_pb2.PutPicturesResponse:
        """Adds pictures to items."""
        return await self._uploads.put(request, call)

    async def DeletePictures(
        self, request: visual_pb2.DeletePicturesRequest, call: Call
    ) -> visual_pb2.DeletePicturesResponse:
        """Deletes pictures of items."""
        return await self._uploads.delete(request, call)

    @property
    def _uploads(self) -> PictureUploads:
        """Raises `ForbiddenError` where nobody may change pictures."""
        if self._running.uploads_refused:
            raise ForbiddenError(self._running.uploads_refused)
        return self._running.uploads


SERVICE = Service(
    visual_pb2.DESCRIPTOR.services_by_name["VisualService"],
    VisualHandler,
    MethodOptions(
        # Decoding takes many times what the event loop does for a page, in threads of their own.
        cost="bulk",
        concurrent=4,
        request_bytes=_REQUEST_BYTES,
        repeated={"excluded_item_ids": MAX_EXCLUDED},
    ),
    methods={
        "PutPictures": MethodOptions(
            cost="bulk",
            concurrent=2,
            request_bytes=_REQUEST_BYTES,
            repeated={"pictures": MAX_PUT},
            operators=True,
        ),
        "DeletePictures": MethodOptions(
            cost="bulk",
            concurrent=2,
            request_bytes=_NAMES_BYTES,
            repeated={"pictures": MAX_DELETED},
            operators=True,
        ),
    },
)
