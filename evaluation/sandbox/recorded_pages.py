"""Recorded requests as pages to make again: one for each scene that a request names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import DecodeError

from loadtest.recording import RecordedRequest
from protos.shopfront.v1.recommend_pb2 import (
    RecommendPageRequest,
    RecommendRequest,
    SimilarItemsRequest,
)
from router.errors import CallerError
from router.scenes.settings import SceneSettings
from router.service.validation import CheckedRequest, check_page, check_recommend, check_similar_items

Scenes = Mapping[str, SceneSettings]

_METHODS: Mapping[str, tuple[type[Any], Callable[[Any, Scenes], CheckedRequest]]] = {
    "Recommend": (RecommendRequest, check_recommend),
    "RecommendPage": (RecommendPageRequest, check_page),
    "SimilarItems": (SimilarItemsRequest, check_similar_items),
}


@dataclass(frozen=True, slots=True)
class PageToMake:
    """One scene of a recorded request.

    asked  the checked request, with this scene alone
    at     unix second at which it arrived
    """

    asked: CheckedRequest
    at: int

    @property
    def scene(self) -> str:
        """Name of the scene."""
        return self.asked.scenes[0].scene

    @property
    def size(self) -> int:
        """Slots of the page."""
        return self.asked.scenes[0].page_size


@dataclass(frozen=True, slots=True)
class RecordedPages:
    """The pages of a recording.

    pages      newest last
    left_out   requests that gave none, by reason
    named      pages of requests that name a shopper
    known      of these, pages whose shopper is known here
    """

    pages: list[PageToMake]
    left_out: Mapping[str, int]
    named: int
    known: int


def pages_of(
    requests: Iterable[RecordedRequest],
    scenes: Scenes,
    wanted: Iterable[str],
    shopper_of: Callable[[str], str | None],
    most: int,
) -> RecordedPages:
    """The newest pages of the wanted scenes, at most `most`.

    Args:
        requests: of a recording, oldest first.
        scenes: settings by name.
        wanted: names of the scenes to make pages of.
        shopper_of: a recorded user_id → the shopper's own; None where it is not known, and the page is made
            as for a shopper never seen.
        most: pages.

    Events, requests that the service would refuse, and further pages of a cursor are left out and counted.
    """
    names = frozenset(wanted)
    pages: list[PageToMake] = []
    left_out: dict[str, int] = {}
    for request in requests:
        found, reason = _checked(request, scenes)
        if found is None:
            left_out[reason] = left_out.get(reason, 0) + 1
            continue
        scenes_of = [scene for scene in found.scenes if scene.scene in names and not scene.page_cursor]
        if not scenes_of:
            left_out["another scene, or a further page"] = (
                left_out.get("another scene, or a further page", 0) + 1
            )
        pages += [
            PageToMake(replace(found, scenes=(scene,)), int(request.offset_ms // 1_000))
            for scene in scenes_of
        ]
    pages = pages[-most:]
    shoppers = [shopper_of(page.asked.user_id) if page.asked.user_id else "" for page in pages]
    return RecordedPages(
        [
            replace(
                page, asked=replace(page.asked, user_id=page.asked.user_id if shopper is None else shopper)
            )
            for page, shopper in zip(pages, shoppers, strict=True)
        ],
        left_out,
        named=sum(bool(page.asked.user_id) for page in pages),
        known=sum(bool(shopper) for shopper in shoppers),
    )


def _checked(request: RecordedRequest, scenes: Scenes) -> tuple[CheckedRequest | None, str]:
    method = _METHODS.get(request.call.rpartition("/")[2])
    if method is None:
        return None, "no request for a page"
    if request.data is None:
        return None, "not recorded as JSON"
    message_type, check = method
    try:
        message = ParseDict(request.data, message_type())
        return check(message, scenes), ""
    except (ParseError, DecodeError):
        return None, "not readable"
    except CallerError:
        return None, "refused"
