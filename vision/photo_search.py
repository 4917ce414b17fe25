"""Answers `VisualService`: a photo becomes features on Triton, by which a scene's page is found."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from models.picture_encoder import NAME as ENCODER
from models.picture_encoder import OUTPUT, PICTURES, SIDE
from pipeline.stages import DeadlineExceeded, DependencyError
from protos.shopfront.v1 import recommend_pb2, visual_pb2
from recall.similar_look import SimilarLook
from router.engine.engine import Engine
from router.engine.live import LiveEngine
from router.errors import CallerError, PreconditionError
from router.ranking.triton_client import TritonClient
from router.service.anchor import ANCHOR_UNKNOWN
from router.service.call import Call
from router.service.service import RecommendationService
from vision.category_vote import category_shares
from vision.follow_pictures import looks_of
from vision.metrics import PhotoSearchMetrics
from vision.settings import PhotoSearchSettings

SCENE = "photo_search"
_LEAST_SIDE = 0.01
_DEFAULT_CATEGORIES, _MOST_CATEGORIES = 5, 20
_LONGEST_MS = 10_000
_REDUCED = 2
"""As in `vision.encode_pictures`: a JPEG is decoded at twice the square at least."""


@dataclass(frozen=True, slots=True)
class _Encoded:
    """Features float32[F] of a photo, and the milliseconds from arrival at which that began and ended."""

    features: NDArray[np.float32]
    began_ms: float
    ended_ms: float


class PhotoSearch:
    """The photo search of one replica; methods may run many times at once on one event loop."""

    def __init__(
        self,
        settings: PhotoSearchSettings,
        triton: TritonClient,
        live: LiveEngine,
        service: RecommendationService,
        metrics: ProcessMetrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Opens nothing.

        Args:
            settings: what photos may be.
            triton: has the model `picture_encoder`.
            live: the engine in service.
            service: answers pages.
            metrics: count photos.
            clock: monotonic seconds, as of calls.
        """
        self._settings = settings
        self._triton = triton
        self._live = live
        self._service = service
        self._metrics = metrics.group(PhotoSearchMetrics)
        self._clock = clock

    async def search(
        self, request: visual_pb2.SearchByImageRequest, call: Call
    ) -> visual_pb2.SearchByImageResponse:
        """Items that look like the request's picture.

        Raises:
            CallerError: the request or its picture breaks a rule.
            PreconditionError: the snapshot in service has no pictures.
        """
        engine = self._live.current
        self._looks(engine)
        source = request.WhichOneof("source")
        if source is None:
            raise CallerError.of("image", "is required, or item_id")
        if source == "item_id":
            if request.HasField("box"):
                raise CallerError.of(
                    "box", "is a part of image; an item is searched for by all of its picture"
                )
            return visual_pb2.SearchByImageResponse(page=await self._like_item(request, call))
        wanted = _page_request(request)
        # Everything else is checked before anything is decoded.
        await self._service.recommend(_checking(wanted), call)
        try:
            encoded = await self._encoded(engine, request.image, _box_of(request), call, request.timeout_ms)
        except DependencyError:
            self._metrics.photos["not_encoded",].inc()
            return visual_pb2.SearchByImageResponse(
                page=recommend_pb2.RecommendResponse(
                    scene=wanted.scene,
                    snapshot_id=engine.snapshot_id,
                    request_id=call.request_id,
                    degraded=[ENCODER],
                )
            )
        page = await self._service.recommend(wanted, call, encoded.features)
        if request.with_trace:
            page.trace.stages.insert(
                0,
                recommend_pb2.StageTrace(
                    stage="encode",
                    count_in=1,
                    count_out=1,
                    start_ms=encoded.began_ms,
                    elapsed_ms=encoded.ended_ms - encoded.began_ms,
                    outcome="ok",
                ),
            )
        return visual_pb2.SearchByImageResponse(page=page)

    async def predict(
        self, request: visual_pb2.PredictCategoryRequest, call: Call
    ) -> visual_pb2.PredictCategoryResponse:
        """Categories of what the request's picture shows. Raises as `search` does."""
        engine = self._live.current
        looks = self._looks(engine)
        if request.limit < 0:
            raise CallerError.of("limit", "must not be negative; 0 takes the default")
        if not request.image:
            raise CallerError.of("image", "empty: is required")
        answer = visual_pb2.PredictCategoryResponse(
            snapshot_id=engine.snapshot_id, request_id=call.request_id
        )
        try:
            encoded = await self._encoded(engine, request.image, _box_of(request), call, 0)
            items, likeness = looks.search(looks.vector_of(encoded.features), self._settings.neighbours)
        except DependencyError:
            self._metrics.photos["not_encoded",].inc()
            answer.degraded.append(ENCODER)
            return answer
        if len(likeness):
            answer.likeness = float(likeness[0])
        limit = min(request.limit or _DEFAULT_CATEGORIES, _MOST_CATEGORIES)
        if looks.head is None:
            codes, shares = category_shares(
                engine.catalogue.category[items], likeness, self._settings.temperature, limit
            )
        else:
            (probabilities,) = looks.head.probabilities(encoded.features[None])
            best = np.argsort(-probabilities, kind="stable")[:limit]
            codes, shares = looks.head.codes[best], probabilities[best]
            answer.calibrated = True
            answer.unknown = not looks.head.is_known(float(shares[0]), answer.likeness)
        names = engine.catalogue.category_names(codes)
        for name, share in zip(names, shares.tolist(), strict=True):
            answer.categories.add(category=name, share=share)
        return answer

    def _looks(self, engine: Engine) -> SimilarLook:
        """The open pictures of a snapshot. Raises PreconditionError where it has none."""
        channel = looks_of(engine)
        if channel is None or ENCODER not in engine.model_versions:
            self._metrics.photos["no_pictures",].inc()
            raise PreconditionError(
                "PICTURES",
                engine.snapshot_id,
                "the snapshot in service has no pictures; bring a column `image` with the items, install the "
                "extra `vision`, and build again",
            )
        return channel

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
        pictured, _ = self._looks(engine).vectors_of(engine.catalogue.dense([request.item_id]))
        if not len(pictured) and ANCHOR_UNKNOWN not in page.degraded:
            page.degraded.append(ANCHOR_UNKNOWN)
        return page

    async def _encoded(
        self, engine: Engine, content: bytes, box: visual_pb2.Box | None, call: Call, timeout_ms: int
    ) -> _Encoded:
        """Raises CallerError, DependencyError where Triton does not answer, DeadlineExceeded."""
        began = self._clock()
        square = await asyncio.to_thread(self._square, content, box)
        wait_s = self._settings.encode_timeout_ms / 1_000
        budget_s = min(timeout_ms, _LONGEST_MS) / 1_000 if timeout_ms else _LONGEST_MS / 1_000
        left_s = call.deadline_within(budget_s) - self._clock()
        if left_s <= 0:
            raise DeadlineExceeded("the time was over when the photo was decoded")
        answer = await self._triton.infer(
            ENCODER,
            engine.model_versions.get(ENCODER, ""),
            {PICTURES: square[None]},
            [OUTPUT],
            min(wait_s, left_s),
        )
        self._metrics.photos["encoded",].inc()
        ended = self._clock()
        return _Encoded(answer[OUTPUT][0], (began - call.arrival) * 1_000, (ended - call.arrival) * 1_000)

    def _square(self, content: bytes, box: visual_pb2.Box | None) -> NDArray[np.uint8]:
        """uint8[side, side, 3]. Raises CallerError, PreconditionError where Pillow is not installed."""
        try:
            from vision.decode import PictureRefused, decode
            from vision.square import WHOLE, Box, square
        except ImportError as error:
            raise PreconditionError(
                "EXTRA", "vision", "this router cannot decode pictures; install the extra `vision`"
            ) from error
        try:
            part = WHOLE if box is None else Box(box.left, box.top, box.right, box.bottom)
            # A part of a picture needs the picture in full.
            image = decode(content, self._settings.limits, _REDUCED * SIDE if box is None else 0)
        except PictureRefused as refusal:
            self._metrics.photos[refusal.reason,].inc()
            raise CallerError.of("image", f"{refusal.reason}: {refusal}") from refusal
        return square(image, SIDE, part)


def _box_of(
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


def _checking(wanted: recommend_pb2.RecommendRequest) -> recommend_pb2.RecommendRequest:
    checking = recommend_pb2.RecommendRequest()
    checking.CopyFrom(wanted)
    checking.validate_only = True
    return checking
