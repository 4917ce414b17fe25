"""Answers `SearchByImage` and `PredictCategory`: by a photo's features on Triton, a scene's page is found."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from models.picture_encoder import NAME as ENCODER
from models.picture_encoder import OUTPUT
from pipeline.stages import DependencyError
from protos.shopfront.v1 import recommend_pb2, visual_pb2
from recall.similar_look import NAME as CHANNEL_NAME
from router.engine.engine import Engine
from router.engine.live import LiveEngine
from router.errors import CallerError
from router.service.anchor import ANCHOR_UNKNOWN
from router.service.call import Call
from router.service.service import RecommendationService
from router.service.shopper_scenes import ShopperScenes
from vision.category_vote import category_shares
from vision.detect_objects import DEFAULT_OBJECTS, MAPS, FoundObjects, objects_of
from vision.photo_encoder import PhotoEncoder
from vision.photo_part import box_message, box_of, check_part, object_messages, tapped
from vision.search_scene import SCENE, check_search_scene
from vision.settings import PhotoSearchSettings

PARTIAL = f"channel:{CHANNEL_NAME}:partial"
"""In `degraded`, where a part of the index did not answer."""
_DEFAULT_CATEGORIES, _MOST_CATEGORIES = 5, 20


@dataclass(frozen=True, slots=True)
class _Seen:
    """A photo as it was looked at.

    Attributes:
        look: float32[F + C] of the part searched for.
        part: None = all of it.
        found: what is in all of it; None beside a box.
        stages: what was done, for the trace.
    """

    look: NDArray[np.float32]
    part: visual_pb2.Box | None
    found: FoundObjects | None
    stages: list[recommend_pb2.StageTrace]


class PhotoSearch:
    """The photo search of one replica; methods may run many times at once on one event loop."""

    def __init__(
        self,
        settings: PhotoSearchSettings,
        live: LiveEngine,
        service: RecommendationService,
        encoder: PhotoEncoder,
    ) -> None:
        """Opens nothing.

        Args:
            settings: what is found in photos, and how categories are told.
            live: the engine in service.
            service: answers pages.
            encoder: of photos.
        """
        self._settings = settings
        self._live = live
        self._service = service
        self._encoder = encoder

    async def search(
        self, request: visual_pb2.SearchByImageRequest, call: Call
    ) -> visual_pb2.SearchByImageResponse:
        """Items that look like the request's picture.

        Raises:
            CallerError: the request or its picture breaks a rule, or the scene that it names cannot look.
            PreconditionError: the snapshot in service has no pictures, or the scene that answers where none
                is named cannot look.
            DeadlineExceeded: the call's time is over.
        """
        engine = self._live.current
        self._encoder.looks(engine)
        source = request.WhichOneof("source")
        if source is None:
            raise CallerError.of("image", "is required, or item_id")
        check_part(request)
        check_search_scene(ShopperScenes(engine, request.user_id), request.scene)
        if source == "item_id":
            return visual_pb2.SearchByImageResponse(page=await self._like_item(request, call))
        wanted, photo = _page_request(request), _photo_name(request)
        # Everything else is checked before anything is decoded.
        await self._service.recommend(_checking(wanted), call, picture=photo)
        try:
            seen = await self._seen(engine, request, call)
        except DependencyError:
            return visual_pb2.SearchByImageResponse(
                page=recommend_pb2.RecommendResponse(
                    scene=wanted.scene,
                    snapshot_id=engine.snapshot_id,
                    request_id=call.request_id,
                    degraded=[ENCODER],
                )
            )
        page = await self._service.recommend(wanted, call, seen.look, photo)
        if request.with_trace:
            for stage in reversed(seen.stages):
                page.trace.stages.insert(0, stage)
        answer = visual_pb2.SearchByImageResponse(page=page, searched=seen.part)
        if seen.found is not None:
            answer.objects.extend(object_messages(seen.found.boxes))
            answer.learned = seen.found.learned
        return answer

    async def predict(
        self, request: visual_pb2.PredictCategoryRequest, call: Call
    ) -> visual_pb2.PredictCategoryResponse:
        """Categories of what the request's picture shows. Raises as `search` does."""
        engine = self._live.current
        looks = self._encoder.looks(engine)
        if request.limit < 0:
            raise CallerError.of("limit", "must not be negative; 0 takes the default")
        if not request.image:
            raise CallerError.of("image", "empty: is required")
        answer = visual_pb2.PredictCategoryResponse(
            snapshot_id=engine.snapshot_id, request_id=call.request_id
        )
        try:
            box = box_of(request)
            image = await self._encoder.decode(request.image, call, 0, whole=box is None)
            features = (await self._encoder.infer(engine, image, box, [OUTPUT], call, 0))[OUTPUT]
            vector = looks.vector_of(await self._encoder.look(looks, image, box, features))
            found = await looks.aside(lambda: looks.search(vector, self._settings.neighbours))
        except DependencyError:
            answer.degraded.append(ENCODER)
            return answer
        if found.missing:
            answer.degraded.append(PARTIAL)
        if len(found.likeness):
            answer.likeness = float(found.likeness[0])
        limit = min(request.limit or _DEFAULT_CATEGORIES, _MOST_CATEGORIES)
        if looks.head is None:
            codes, shares = category_shares(
                engine.catalogue.category[found.items], found.likeness, self._settings.temperature, limit
            )
        else:
            (probabilities,) = looks.head.probabilities(features[None])
            best = np.argsort(-probabilities, kind="stable")[:limit]
            codes, shares = looks.head.codes[best], probabilities[best]
            answer.calibrated = True
            answer.unknown = not looks.head.is_known(float(shares[0]), answer.likeness)
        names = engine.catalogue.category_names(codes)
        for name, share in zip(names, shares.tolist(), strict=True):
            answer.categories.add(category=name, share=share)
        return answer

    async def _seen(self, engine: Engine, request: visual_pb2.SearchByImageRequest, call: Call) -> _Seen:
        """What a request's photo is searched for by. Raises as `PhotoEncoder` does."""
        began = self._encoder.since(call)
        looks, part = self._encoder.looks(engine), box_of(request)
        of_object = request.HasField("tap") or request.surest_object
        image = await self._encoder.decode(
            request.image, call, request.timeout_ms, whole=part is None and not of_object
        )
        found, stages, outputs = None, [], {}
        if part is None:
            # All of the photo is encoded once, for the objects in it and for its features.
            wanted = ([] if of_object else [OUTPUT]) + (list(MAPS) if looks.objects is not None else [])
            if wanted:
                outputs = await self._encoder.infer(engine, image, None, wanted, call, request.timeout_ms)
            encoded = self._encoder.since(call)
            found = await objects_of(looks, image, outputs, DEFAULT_OBJECTS, self._settings.least_confidence)
            if not of_object:
                stages.append(_stage("encode", began, encoded, 1))
                began = encoded
            stages.append(_stage("detect", began, self._encoder.since(call), len(found.boxes)))
            if request.HasField("tap"):
                part = tapped(found.boxes, request.tap)
            elif of_object and len(found.boxes):
                part = box_message(found.boxes, 0)
        if OUTPUT not in outputs:
            began = self._encoder.since(call)
            outputs = await self._encoder.infer(engine, image, part, [OUTPUT], call, request.timeout_ms)
            stages.append(_stage("encode", began, self._encoder.since(call), 1))
        began = self._encoder.since(call)
        look = await self._encoder.look(looks, image, part, outputs[OUTPUT])
        if looks.space.colours:
            stages.append(_stage("colours", began, self._encoder.since(call), 1))
        return _Seen(look, part, found, stages)

    async def _like_item(
        self, request: visual_pb2.SearchByImageRequest, call: Call
    ) -> recommend_pb2.RecommendResponse:
        engine = self._live.current
        page = await self._service.similar_items(
            recommend_pb2.SimilarItemsRequest(
                item_id=request.item_id,
                user_id=request.user_id,
                context=request.context,
                page_size=request.page_size,
                excluded_item_ids=request.excluded_item_ids,
                with_trace=request.with_trace,
                timeout_ms=request.timeout_ms,
                scene=request.scene or SCENE,
                page_cursor=request.page_cursor,
            ),
            call,
        )
        looks, anchor = self._encoder.looks(engine), engine.catalogue.dense([request.item_id])
        pictured = await looks.aside(lambda: looks.vectors_of(anchor))
        unknown = PARTIAL if pictured.missing else ANCHOR_UNKNOWN
        if not len(pictured.items) and unknown not in page.degraded:
            page.degraded.append(unknown)
        return page


def _page_request(request: visual_pb2.SearchByImageRequest) -> recommend_pb2.RecommendRequest:
    return recommend_pb2.RecommendRequest(
        scene=request.scene or SCENE,
        user_id=request.user_id,
        context=request.context,
        page_size=request.page_size,
        excluded_item_ids=request.excluded_item_ids,
        with_trace=request.with_trace,
        timeout_ms=request.timeout_ms,
        page_cursor=request.page_cursor,
    )


def _photo_name(request: visual_pb2.SearchByImageRequest) -> str:
    """The same for the same bytes and part."""
    name = blake2b(request.image, digest_size=16)
    for field in ("box", "tap"):
        if request.HasField(field):
            name.update(field.encode() + getattr(request, field).SerializeToString(deterministic=True))
    if request.surest_object:
        name.update(b"surest_object")
    return f"picture {name.hexdigest()}"


def _checking(wanted: recommend_pb2.RecommendRequest) -> recommend_pb2.RecommendRequest:
    checking = recommend_pb2.RecommendRequest()
    checking.CopyFrom(wanted)
    checking.validate_only = True
    return checking


def _stage(name: str, began_ms: float, ended_ms: float, out: int) -> recommend_pb2.StageTrace:
    return recommend_pb2.StageTrace(
        stage=name,
        count_in=1,
        count_out=out,
        start_ms=began_ms,
        elapsed_ms=ended_ms - began_ms,
        outcome="ok",
    )
