"""A caller's photo on its way to features: decoded in a thread, encoded on Triton, within the call's time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from models.picture_encoder import NAME as ENCODER
from models.picture_encoder import PICTURES, SIDE
from pipeline.stages import DeadlineExceeded, DependencyError
from protos.shopfront.v1 import visual_pb2
from router.engine.engine import Engine
from router.errors import CallerError, PreconditionError
from router.ranking.triton_client import TritonClient
from router.service.call import Call
from vision.follow_pictures import looks_of
from vision.metrics import PhotoSearchMetrics
from vision.settings import PhotoSearchSettings

if TYPE_CHECKING:
    from PIL.Image import Image

    from recall.similar_look import SimilarLook
    from vision.square import Box

_LONGEST_MS = 10_000
_REDUCED = 2
"""As in `vision.encode_pictures`: a JPEG is decoded at twice the square at least."""


class PhotoEncoder:
    """Of one replica; methods may run many times at once on one event loop."""

    def __init__(
        self,
        settings: PhotoSearchSettings,
        triton: TritonClient,
        metrics: ProcessMetrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Opens nothing.

        Args:
            settings: what photos may be.
            triton: has the model `picture_encoder`.
            metrics: count photos.
            clock: monotonic seconds, as of calls.
        """
        self._settings = settings
        self._triton = triton
        self._metrics = metrics.group(PhotoSearchMetrics)
        self._clock = clock

    def looks(self, engine: Engine) -> SimilarLook:
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

    def since(self, call: Call) -> float:
        """Milliseconds since a call's arrival."""
        return (self._clock() - call.arrival) * 1_000

    async def decode(self, content: bytes, call: Call, timeout_ms: int, *, whole: bool) -> Image:
        """The RGB picture of a file.

        Args:
            content: the file.
            call: its time must not be over.
            timeout_ms: of the request, as of `infer`.
            whole: only the whole of it is looked at, so that it may be reduced.

        Raises:
            CallerError: the file is no usable picture.
            PreconditionError: Pillow is not installed.
            DeadlineExceeded: the call's time is over.
        """
        deadline = _deadline(call, timeout_ms)
        return await asyncio.to_thread(self._decode, content, _REDUCED * SIDE if whole else 0, deadline)

    async def infer(
        self,
        engine: Engine,
        image: Image,
        box: visual_pb2.Box | None,
        outputs: Sequence[str],
        call: Call,
        timeout_ms: int,
    ) -> dict[str, NDArray[Any]]:
        """Outputs of the encoder, by name and without the axis of the batch, of a part of a picture.

        Args:
            engine: whose version of the encoder is asked.
            image: RGB.
            box: the part; None = all of it.
            outputs: of `models.picture_encoder`.
            call: its time must not be over.
            timeout_ms: of the request; 0 = 10 seconds, which is the most.

        Raises:
            DependencyError: Triton does not answer.
            DeadlineExceeded: the call's time is over.
        """
        from vision.square import square

        pixels = await asyncio.to_thread(square, image, SIDE, _part(box))
        left_s = _deadline(call, timeout_ms) - self._clock()
        if left_s <= 0:
            raise DeadlineExceeded("the time was over when the photo was decoded")
        try:
            answer = await self._triton.infer(
                ENCODER,
                engine.model_versions.get(ENCODER, ""),
                {PICTURES: pixels[None]},
                list(outputs),
                min(self._settings.encode_timeout_ms / 1_000, left_s),
            )
        except DependencyError:
            self._metrics.photos["not_encoded",].inc()
            raise
        self._metrics.photos["encoded",].inc()
        return {name: np.asarray(answer[name][0]) for name in outputs}

    async def look(
        self,
        looks: SimilarLook,
        image: Image,
        box: visual_pb2.Box | None,
        features: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """float32[F + C], by which the snapshot's pictures are searched.

        Args:
            looks: the snapshot's pictures.
            image: RGB.
            box: the part that the features are of; None = all of it.
            features: float32[F].
        """
        if not looks.space.colours:
            return features
        from vision.look import make_looks
        from vision.same_picture import small_copy

        copy = await asyncio.to_thread(small_copy, image, _part(box))
        (look,) = make_looks(features[None], copy[None], looks.space.colours)
        return np.asarray(look)

    def _decode(self, content: bytes, least_side: int, deadline: float) -> Image:
        try:
            from vision.decode import DecodingEnded, PictureRefused, decode
        except ImportError as error:
            raise PreconditionError(
                "EXTRA", "vision", "this router cannot decode pictures; install the extra `vision`"
            ) from error
        try:
            return decode(content, self._settings.limits, least_side, lambda: self._clock() >= deadline)
        except DecodingEnded as ended:
            raise DeadlineExceeded(str(ended)) from ended
        except PictureRefused as refusal:
            self._metrics.photos[refusal.reason,].inc()
            raise CallerError.of("image", f"{refusal.reason}: {refusal}") from refusal


def _deadline(call: Call, timeout_ms: int) -> float:
    return call.deadline_within(min(timeout_ms or _LONGEST_MS, _LONGEST_MS) / 1_000)


def _part(box: visual_pb2.Box | None) -> Box:
    from vision.square import WHOLE, Box

    return WHOLE if box is None else Box(box.left, box.top, box.right, box.bottom)
