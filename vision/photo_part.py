"""Which part of a photo a caller means: a box, a place that was tapped, the surest object, or all of it."""

from __future__ import annotations

import numpy as np

from protos.shopfront.v1 import visual_pb2
from recall.found_boxes import FoundBoxes
from router.errors import CallerError

_LEAST_SIDE = 0.01
_AROUND = 0.25
"""How far from a tapped place on which nothing was found a part reaches, in shares of the picture's sides."""


def box_of(
    request: visual_pb2.SearchByImageRequest | visual_pb2.PredictCategoryRequest,
) -> visual_pb2.Box | None:
    """The request's box; None where it has none. Raises CallerError where it is no part of a picture."""
    if not request.HasField("box"):
        return None
    box = request.box
    # A NaN fails every comparison.
    inside = 0 <= box.left < box.right <= 1 and 0 <= box.top < box.bottom <= 1
    if not inside or min(box.right - box.left, box.bottom - box.top) < _LEAST_SIDE:
        raise CallerError.of(
            "box",
            "must have 0 <= left < right <= 1 and 0 <= top < bottom <= 1, and sides of at least "
            f"{_LEAST_SIDE}",
        )
    return box


def check_part(request: visual_pb2.SearchByImageRequest) -> None:
    """Raises CallerError where a request names a part of an item's picture, several, or one that is none."""
    named = [name for name in ("box", "tap") if request.HasField(name)]
    named += ["surest_object"] * request.surest_object
    if named and request.WhichOneof("source") == "item_id":
        raise CallerError.of(named[0], "is a part of image; an item is searched for by all of its picture")
    if len(named) > 1:
        raise CallerError.of(named[1], f"must not be beside {named[0]}: name one part")
    box_of(request)
    if request.HasField("tap") and not (0 <= request.tap.x <= 1 and 0 <= request.tap.y <= 1):
        raise CallerError.of("tap", "must have x and y of 0 to 1")


def tapped(found: FoundBoxes, tap: visual_pb2.Point) -> visual_pb2.Box:
    """The smallest of the boxes that has a place; else the part around it."""
    inside = np.flatnonzero(
        (found.edges[:, 0] <= tap.x)
        & (found.edges[:, 1] <= tap.y)
        & (tap.x <= found.edges[:, 2])
        & (tap.y <= found.edges[:, 3])
    )
    if len(inside):
        sides = found.edges[inside, 2:] - found.edges[inside, :2]
        return box_message(found, int(inside[np.argmin(sides.prod(axis=1))]))
    x, y = (float(np.clip(value, _AROUND, 1 - _AROUND)) for value in (tap.x, tap.y))
    return visual_pb2.Box(left=x - _AROUND, top=y - _AROUND, right=x + _AROUND, bottom=y + _AROUND)


def box_message(found: FoundBoxes, row: int) -> visual_pb2.Box:
    """A found box on the wire."""
    left, top, right, bottom = found.edges[row].tolist()
    return visual_pb2.Box(left=left, top=top, right=right, bottom=bottom)


def object_messages(found: FoundBoxes) -> list[visual_pb2.DetectedObject]:
    """Found boxes on the wire."""
    return [
        visual_pb2.DetectedObject(box=box_message(found, row), confidence=confidence)
        for row, confidence in enumerate(found.confidence.tolist())
    ]
