"""The rules of `protos/shopfront/v1/recommend.proto`: requests in, checked values or every fault out.

What the contract coerces (a page size above 100) is coerced; what it refuses raises one `CallerError` that
names all fields at fault. Descriptions never repeat what the caller sent: it may be personal.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from protos.shopfront.v1 import recommend_pb2
from protos.shopfront.v1.recommend_pb2 import (
    Context,
    RecommendPageRequest,
    RecommendRequest,
    SimilarItemsKind,
    SimilarItemsRequest,
)
from recall.search.asked import NOTHING_ASKED, Asked
from router.errors import CallerError, FieldViolation
from router.limits import (
    MAX_CART_ITEMS,
    MAX_CITY_CHARACTERS,
    MAX_EXCLUDED,
    MAX_SCENES,
    MAX_TIMEOUT_MS,
)
from router.scenes.settings import PageSettings, SceneSettings
from router.service.context import asked_of, context_faults
from snapshot.id_limit import MAX_ID_BYTES

SIMILAR_ITEMS_SCENE = "similar_items"
SCENES_BY_KIND: Mapping[int, str] = {
    SimilarItemsKind.SIMILAR_ITEMS_KIND_UNSPECIFIED: SIMILAR_ITEMS_SCENE,
    SimilarItemsKind.SIMILAR_ITEMS_KIND_SIMILAR: "substitutes",
    SimilarItemsKind.SIMILAR_ITEMS_KIND_COMPLEMENTARY: "complements",
}
"""The scene that answers SimilarItems of each kind."""
ITEM_SCENES = tuple(SCENES_BY_KIND.values())
"""Scenes whose pages are about an item."""

Scenes = Mapping[str, SceneSettings]


@dataclass(frozen=True, slots=True)
class SceneRequest:
    """One scene to fill with `page_size` items: at least 1, at most what the scene allows."""

    scene: str
    page_size: int
    page_cursor: str = ""
    """As sent; empty = the first page."""
    cursor_field: str = "page_cursor"
    """Where the request has the cursor."""


@dataclass(frozen=True, slots=True)
class CheckedRequest:
    """A checked request, the same for every RPC."""

    scenes: tuple[SceneRequest, ...]
    user_id: str
    city: str
    device: str
    excluded_item_ids: Sequence[str]
    with_trace: bool
    timeout_s: float | None
    """Time budget in seconds from arrival; None = the scene's default."""
    anchor_item_id: str = ""
    """The item whose company is wanted; empty where the request is about none."""
    cart_item_ids: Sequence[str] = ()
    """At most `MAX_CART_ITEMS`; an id may come twice."""
    cart_quantities: Sequence[int] = ()
    """Not negative, 0 = 1; as many as there are items in the cart, or none = 1 of each."""
    looking_for: Asked = NOTHING_ASKED
    look: NDArray[np.float32] | None = None
    """Look of a picture that the items are to have, as `Query.look`."""
    picture: str = ""
    """Names that picture, for cursors; empty where there is none."""


def check_recommend(request: RecommendRequest, scenes: Scenes) -> CheckedRequest:
    """Checks a RecommendRequest. Raises `CallerError` with every violation."""
    faults = _Faults()
    faults.scene("scene", request.scene, scenes)
    faults.page_size("page_size", request.page_size)
    faults.cart(request.cart_item_ids, request.cart_quantities)
    return _checked(request, (_scene_request(request.scene, request, scenes),), faults)


def check_page(request: RecommendPageRequest, scenes: Scenes) -> CheckedRequest:
    """Checks a RecommendPageRequest. Raises `CallerError` with every violation."""
    count = len(request.scenes)
    if not 1 <= count <= MAX_SCENES:
        # Nothing is looked at that the request has too many of.
        raise CallerError.of("scenes", f"must hold 1 to {MAX_SCENES} scenes, holds {count:,}")
    faults = _Faults()
    seen: set[str] = set()
    for index, scene in enumerate(request.scenes):
        faults.scene(f"scenes[{index}].scene", scene.scene, scenes)
        faults.page_size(f"scenes[{index}].page_size", scene.page_size)
        if scene.scene in seen:
            faults.add(f"scenes[{index}].scene", "comes twice; name each scene once")
        seen.add(scene.scene)
    faults.cart(request.cart_item_ids, request.cart_quantities)
    wanted = tuple(
        _scene_request(scene.scene, scene, scenes, f"scenes[{index}].page_cursor")
        for index, scene in enumerate(request.scenes)
    )
    return _checked(request, wanted, faults)


def check_similar_items(request: SimilarItemsRequest, scenes: Scenes) -> CheckedRequest:
    """Checks a SimilarItemsRequest. Raises `CallerError` with every violation."""
    faults = _Faults()
    if not request.item_id:
        faults.add("item_id", "is required")
    faults.longest_id("item_id", request.item_id)
    scene = request.scene or SCENES_BY_KIND.get(request.kind, SIMILAR_ITEMS_SCENE)
    if request.kind and request.scene:
        faults.add("kind", "chooses the scene; leave out one of kind and scene")
    if request.kind not in SCENES_BY_KIND:
        faults.add("kind", "is none of SimilarItemsKind")
    elif request.kind and scene not in scenes:
        faults.add(
            "kind", f"needs the scene {scene}, which the configuration does not have; {_one_of(scenes)}"
        )
    else:
        faults.scene("scene", scene, scenes)
    faults.page_size("page_size", request.page_size)
    return _checked(request, (_scene_request(scene, request, scenes),), faults, request.item_id)


def _checked(
    request: RecommendRequest | RecommendPageRequest | SimilarItemsRequest,
    scenes: tuple[SceneRequest, ...],
    faults: _Faults,
    anchor_item_id: str = "",
) -> CheckedRequest:
    faults.longest_id("user_id", request.user_id)
    if request.HasField("context"):
        faults.context(request.context)
    if len(request.excluded_item_ids) > MAX_EXCLUDED:
        faults.add(
            "excluded_item_ids",
            f"must hold at most {MAX_EXCLUDED:,} items, holds {len(request.excluded_item_ids):,}",
        )
    if request.timeout_ms < 0:
        faults.add("timeout_ms", "must not be negative; 0 takes the scene's default")
    faults.raise_any()
    return CheckedRequest(
        scenes=scenes,
        user_id=request.user_id,
        city=request.context.city,
        device=request.context.device,
        excluded_item_ids=request.excluded_item_ids,
        with_trace=request.with_trace,
        timeout_s=min(request.timeout_ms, MAX_TIMEOUT_MS) / 1_000 if request.timeout_ms else None,
        anchor_item_id=anchor_item_id,
        looking_for=asked_of(request.context),
        cart_item_ids=() if isinstance(request, SimilarItemsRequest) else request.cart_item_ids,
        cart_quantities=() if isinstance(request, SimilarItemsRequest) else request.cart_quantities,
    )


def _scene_request(
    name: str,
    asked: RecommendRequest | recommend_pb2.SceneRequest | SimilarItemsRequest,
    scenes: Scenes,
    cursor_field: str = "page_cursor",
) -> SceneRequest:
    page = scenes[name].page if name in scenes else PageSettings()
    size = min(asked.page_size or page.default_size, page.max_size)
    return SceneRequest(name, size, asked.page_cursor, cursor_field)


class _Faults:
    """Collects violations, so that a caller learns of all of them at once."""

    def __init__(self) -> None:
        self._violations: list[FieldViolation] = []

    def add(self, field: str, description: str) -> None:
        self._violations.append(FieldViolation(field, description))

    def scene(self, field: str, scene: str, known: Collection[str]) -> None:
        if not scene:
            self.add(field, f"is required; {_one_of(known)}")
        elif scene not in known:
            self.add(
                field,
                f"is not served: not configured, or it `needs` what the snapshot lacks; {_one_of(known)}",
            )

    def page_size(self, field: str, size: int) -> None:
        if size < 0:
            self.add(field, "must not be negative; 0 takes the scene's default")

    def longest_id(self, field: str, value: str) -> None:
        size = len(value.encode())
        if size > MAX_ID_BYTES:
            self.add(field, f"must be at most {MAX_ID_BYTES} bytes of UTF-8, is {size}")

    def cart(self, item_ids: Sequence[str], quantities: Sequence[int]) -> None:
        if len(item_ids) > MAX_CART_ITEMS:
            # Nothing is looked at that the request has too many of.
            self.add("cart_item_ids", f"must hold at most {MAX_CART_ITEMS:,} items, holds {len(item_ids):,}")
        else:
            for index, item_id in enumerate(item_ids):
                if not item_id:
                    self.add(f"cart_item_ids[{index}]", "must not be empty")
                self.longest_id(f"cart_item_ids[{index}]", item_id)
        if quantities and len(quantities) != len(item_ids):
            self.add(
                "cart_quantities",
                f"must hold one quantity for each of the {len(item_ids):,} cart_item_ids, or none; holds "
                f"{len(quantities):,}",
            )
        elif len(quantities) <= MAX_CART_ITEMS and min(quantities, default=0) < 0:
            self.add("cart_quantities", "must not be negative; 0 counts as 1")

    def context(self, context: Context) -> None:
        if len(context.city) > MAX_CITY_CHARACTERS:
            self.add(
                "context.city", f"must be at most {MAX_CITY_CHARACTERS} characters, is {len(context.city)}"
            )
        for field, description in context_faults(context):
            self.add(field, description)

    def raise_any(self) -> None:
        if self._violations:
            raise CallerError(self._violations)


def _one_of(known: Collection[str]) -> str:
    shown = sorted(known)[:20]
    return f"the scenes served are {', '.join(shown)}{' …' if len(known) > len(shown) else ''}"
