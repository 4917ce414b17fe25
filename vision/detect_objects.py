"""Answers DetectObjects, and finds what a photo search is asked for by a tap or by its surest object."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from models.picture_encoder import COARSE, FINE
from models.picture_encoder import NAME as ENCODER
from pipeline.stages import DependencyError
from protos.shopfront.v1 import visual_pb2
from recall.found_boxes import FoundBoxes
from recall.similar_look import SimilarLook
from router.engine.live import LiveEngine
from router.errors import CallerError
from router.service.call import Call
from vision.photo_encoder import PhotoEncoder
from vision.photo_part import object_messages
from vision.settings import PhotoSearchSettings

if TYPE_CHECKING:
    from PIL.Image import Image

MAPS = (FINE, COARSE)
DEFAULT_OBJECTS, MOST_OBJECTS = 5, 20
_OVERLAP = 0.5


@dataclass(frozen=True)
class FoundObjects:
    """Boxes, the surest first, and whether trained layers found them."""

    boxes: FoundBoxes
    learned: bool


async def objects_of(
    looks: SimilarLook, image: Image, maps: Mapping[str, NDArray[Any]], most: int, least: float
) -> FoundObjects:
    """What is in a picture.

    Args:
        looks: whose layers find it.
        image: RGB.
        maps: the encoder's outputs `fine` and `coarse` of all of it; without them what stands out of its
            ground counts.
        most: objects at most.
        least: confidence that each has at least.
    """
    if looks.objects is not None and FINE in maps:
        return FoundObjects(looks.objects.find(maps[FINE], maps[COARSE], most, least), True)
    # Pillow and SciPy come with the extra, without which there is no image.
    from vision.salience import salient_boxes

    boxes = await asyncio.to_thread(salient_boxes, image)
    return FoundObjects(
        boxes.take((boxes.confidence >= least).nonzero()[0]).without_overlap(most, _OVERLAP), False
    )


class ObjectDetector:
    """Of one replica; methods may run many times at once on one event loop."""

    def __init__(self, settings: PhotoSearchSettings, live: LiveEngine, encoder: PhotoEncoder) -> None:
        """`live`: the engine in service; `encoder`: of photos."""
        self._settings = settings
        self._live = live
        self._encoder = encoder

    async def detect(
        self, request: visual_pb2.DetectObjectsRequest, call: Call
    ) -> visual_pb2.DetectObjectsResponse:
        """Where things are in the request's picture.

        Raises:
            CallerError: the request or its picture breaks a rule.
            PreconditionError: the snapshot in service has no pictures.
            DeadlineExceeded: the call's time is over.
        """
        engine = self._live.current
        looks = self._encoder.looks(engine)
        if request.limit < 0:
            raise CallerError.of("limit", "must not be negative; 0 takes the default")
        if not 0 <= request.least_confidence <= 1:
            raise CallerError.of("least_confidence", "must be 0 to 1; 0 takes the default")
        image = await self._encoder.decode(request.image, call, 0, whole=True)
        answer = visual_pb2.DetectObjectsResponse(snapshot_id=engine.snapshot_id, request_id=call.request_id)
        maps: Mapping[str, NDArray[Any]] = {}
        if looks.objects is not None:
            try:
                maps = await self._encoder.infer(engine, image, None, MAPS, call, 0)
            except DependencyError:
                answer.degraded.append(ENCODER)
        found = await objects_of(
            looks,
            image,
            maps,
            min(request.limit or DEFAULT_OBJECTS, MOST_OBJECTS),
            request.least_confidence or self._settings.least_confidence,
        )
        answer.objects.extend(object_messages(found.boxes))
        answer.learned = found.learned
        return answer
