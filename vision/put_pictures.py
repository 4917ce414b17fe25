"""Answers PutPictures and DeletePictures: pictures of items that arrive, or go, while the shop is open."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from models.picture_encoder import NAME as ENCODER
from models.picture_encoder import OUTPUT, PICTURES, SIDE
from pipeline.stages import DeadlineExceeded, DependencyError
from protos.shopfront.v1 import visual_pb2
from recall.similar_look import SimilarLook
from router.engine.engine import Engine
from router.engine.live import LiveEngine
from router.errors import CallerError, FieldViolation, PreconditionError
from router.ranking.triton_client import TritonClient
from router.service.call import Call
from snapshot.id_limit import MAX_ID_BYTES
from snapshot.item_keys import item_keys
from state.picture_changes import ALL_CONTENTS, CONTENT_BYTES, Outcome, PictureChange, PictureChanges
from vision.bounds import MAX_DELETED, MAX_PUT
from vision.feature_cache import content_key
from vision.follow_pictures import PictureFollower, looks_of
from vision.metrics import PutPicturesMetrics
from vision.picture_records import encode_record
from vision.settings import PhotoSearchSettings

"""Pictures of one call."""
_TOGETHER = 8
"""Pictures that Triton encodes at a time."""
_REDUCED = 2
"""As in `vision.encode_pictures`, so that the same bytes have the same features."""
_OUTCOMES: dict[Outcome, visual_pb2.PictureOutcome] = {
    "stored": visual_pb2.PICTURE_OUTCOME_STORED,
    "deleted": visual_pb2.PICTURE_OUTCOME_DELETED,
    "unchanged": visual_pb2.PICTURE_OUTCOME_UNCHANGED,
    "too_many": visual_pb2.PICTURE_OUTCOME_REFUSED,
}


@dataclass
class _Picture:
    """A picture on its way: what is wrong with it, or what is computed of it."""

    item: int
    content: bytes
    refused: str = ""
    square: NDArray[np.uint8] | None = None
    structure: NDArray[np.uint8] | None = None
    copy: NDArray[np.uint8] | None = None
    features: NDArray[np.float32] | None = None


class PictureUploads:
    """Of one replica; methods may run many times at once on one event loop."""

    def __init__(
        self,
        settings: PhotoSearchSettings,
        triton: TritonClient,
        live: LiveEngine,
        store: PictureChanges,
        follower: PictureFollower,
        metrics: ProcessMetrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Opens nothing.

        Args:
            settings: what pictures may be.
            triton: has the model `picture_encoder`.
            live: the engine in service.
            store: keeps what is put and deleted.
            follower: takes it into this replica's index.
            metrics: count pictures.
            clock: monotonic seconds, as of calls.
        """
        self._settings = settings
        self._triton = triton
        self._live = live
        self._store = store
        self._follower = follower
        self._clock = clock
        self._counted = metrics.group(PutPicturesMetrics).put_pictures

    async def put(self, request: visual_pb2.PutPicturesRequest, call: Call) -> visual_pb2.PutPicturesResponse:
        """Stores pictures; each has its result.

        Raises:
            CallerError: an item id is none, or there are no pictures.
            PreconditionError: the snapshot in service has no pictures.
            DeadlineExceeded: the call's time was over before all were decoded; none is stored.
            StorageError: the store does not confirm.
        """
        engine = self._live.current
        looks = self._looks(engine)
        _check_ids([each.item_id for each in request.pictures], MAX_PUT)
        keys = item_keys(each.item_id for each in request.pictures).tolist()
        pictures = [
            _Picture(key, content_key(each.image)) for key, each in zip(keys, request.pictures, strict=True)
        ]
        contents = [each.image for each in request.pictures]
        deadline = math.inf if call.deadline is None else call.deadline
        await asyncio.to_thread(self._decode, pictures, contents, deadline)
        response = visual_pb2.PutPicturesResponse(request_id=call.request_id)
        usable = [each for each in pictures if not each.refused]
        for start in range(0, len(usable), _TOGETHER):
            if not await self._encode(engine, looks, usable[start : start + _TOGETHER]):
                response.degraded[:] = [ENCODER]
        encoded = [each for each in usable if each.features is not None]
        changes = [PictureChange(each.item, each.content, _record(looks, each)) for each in encoded]
        outcomes = await self._change(changes)
        outcome_of = {id(each): outcome for each, outcome in zip(encoded, outcomes, strict=True)}
        known = engine.catalogue.dense_from_keys(np.array(keys, np.uint64)) > 0
        for sent, each, is_known in zip(request.pictures, pictures, known.tolist(), strict=True):
            outcome = outcome_of.get(id(each))
            reason = each.refused
            if outcome == "too_many":
                reason = f"too_many: an item has {self._settings.put_per_item} put pictures at most"
            response.results.add(
                item_id=sent.item_id,
                picture_id=each.content.hex(),
                outcome=visual_pb2.PICTURE_OUTCOME_REFUSED if outcome is None else _OUTCOMES[outcome],
                reason=reason,
                item_known=is_known,
            )
            self._counted[reason.partition(":")[0] or str(outcome),].inc()
        return response

    async def delete(
        self, request: visual_pb2.DeletePicturesRequest, call: Call
    ) -> visual_pb2.DeletePicturesResponse:
        """Deletes pictures; each has its result. Raises as `put` does, CallerError for a wrong picture_id."""
        engine = self._live.current
        self._looks(engine)
        _check_ids([each.item_id for each in request.pictures], MAX_DELETED)
        keys = item_keys(each.item_id for each in request.pictures).tolist()
        changes = [
            PictureChange(key, _content_of(position, each.picture_id), None)
            for position, (key, each) in enumerate(zip(keys, request.pictures, strict=True))
        ]
        outcomes = await self._change(changes)
        known = engine.catalogue.dense_from_keys(np.array(keys, np.uint64)) > 0
        response = visual_pb2.DeletePicturesResponse(request_id=call.request_id)
        for sent, outcome, is_known in zip(request.pictures, outcomes, known.tolist(), strict=True):
            response.results.add(
                item_id=sent.item_id,
                picture_id=sent.picture_id,
                outcome=_OUTCOMES[outcome],
                item_known=is_known,
            )
            self._counted[outcome,].inc()
        return response

    def _looks(self, engine: Engine) -> SimilarLook:
        looks = looks_of(engine)
        if looks is None or ENCODER not in engine.model_versions:
            self._counted["no_pictures",].inc()
            raise PreconditionError(
                "PICTURES",
                engine.snapshot_id,
                "the snapshot in service has no pictures, so there is nothing to add to; bring a column "
                "`image` with the items, and build again",
            )
        return looks

    async def _change(self, changes: list[PictureChange]) -> list[Outcome]:
        """Stores changes, and takes them into the index of this replica."""
        if not changes:
            return []
        outcomes = await asyncio.to_thread(self._store.change, changes, self._settings.put_per_item)
        await self._follower.catch_up(self._live.current)
        return outcomes

    async def _encode(self, engine: Engine, looks: SimilarLook, pictures: list[_Picture]) -> bool:
        """Features of each; False, and the reason at each, where Triton gives none that fit."""
        squares = np.stack([each.square for each in pictures if each.square is not None])
        try:
            answer = await self._triton.infer(
                ENCODER,
                engine.model_versions.get(ENCODER, ""),
                {PICTURES: squares},
                [OUTPUT],
                self._settings.encode_timeout_ms / 1_000 * len(pictures),
            )
            if answer[OUTPUT].shape[1:] != (looks.space.features,):
                raise DependencyError(f"{ENCODER} gave features of another length than the snapshot has")
        except DependencyError as error:
            for each in pictures:
                each.refused = f"not_encoded: {error}"
            return False
        for each, features in zip(pictures, answer[OUTPUT], strict=True):
            each.features = features
        return True

    def _decode(self, pictures: list[_Picture], contents: list[bytes], deadline: float) -> None:
        """Raises PreconditionError where Pillow is not installed, DeadlineExceeded."""
        try:
            from vision.decode import DecodingEnded, PictureRefused, decode
            from vision.same_picture import small_copy
            from vision.square import square
            from vision.structure import structure
        except ImportError as error:
            raise PreconditionError(
                "EXTRA", "vision", "this router cannot decode pictures; install the extra `vision`"
            ) from error
        for each, content in zip(pictures, contents, strict=True):
            try:
                image = decode(
                    content, self._settings.limits, _REDUCED * SIDE, lambda: self._clock() >= deadline
                )
                each.square, each.structure = square(image, SIDE), structure(image)
                each.copy = small_copy(image)
            except DecodingEnded as ended:
                raise DeadlineExceeded(str(ended)) from ended
            except PictureRefused as refusal:
                each.refused = f"{refusal.reason}: {refusal}"


def _record(looks: SimilarLook, picture: _Picture) -> bytes:
    if picture.features is None or picture.structure is None or picture.copy is None:
        raise TypeError("a picture is stored only when it is encoded")
    return encode_record(looks.space.encoder, picture.features, picture.structure, picture.copy)


def _check_ids(ids: list[str], most: int) -> None:
    if not 1 <= len(ids) <= most:
        raise CallerError.of("pictures", f"must be 1 to {most:,}; got {len(ids):,}")
    wrong = [
        FieldViolation(f"pictures[{position}].item_id", f"must be 1 to {MAX_ID_BYTES} bytes of UTF-8")
        for position, id in enumerate(ids)
        if not 1 <= len(id.encode()) <= MAX_ID_BYTES
    ]
    if wrong:
        raise CallerError(wrong)


def _content_of(position: int, picture_id: str) -> bytes:
    if not picture_id:
        return ALL_CONTENTS
    try:
        content = bytes.fromhex(picture_id)
    except ValueError:
        content = b""
    if len(content) != CONTENT_BYTES or content == ALL_CONTENTS:
        raise CallerError.of(
            f"pictures[{position}].picture_id",
            f"must be {2 * CONTENT_BYTES} hexadecimal digits, as PutPictures answers them, or empty",
        )
    return content
