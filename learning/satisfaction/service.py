"""Answers `FeedbackService`: stores what shoppers say, and says whom to ask."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from learning.satisfaction.asking import MINUTE_S, QUESTIONS, is_sampled, question, was_asked_lately
from learning.satisfaction.check import CheckedFeedback, TokenRefused, check_feedback
from learning.satisfaction.dimensions import DIMENSIONS, SATISFIED
from learning.satisfaction.metrics import FeedbackMetrics
from learning.satisfaction.settings import SatisfactionSettings
from protos.shopfront.v1 import feedback_pb2
from router.errors import CallerError, OverloadError
from router.service.call import Call
from snapshot.catalogue import Catalogue
from snapshot.id_limit import MAX_ID_BYTES
from state.attribution import Attribution, AttributionCodec
from state.errors import StateOverloaded
from state.event_batch import EventBatch
from state.feedback_codes import (
    NOT_INTERESTED,
    NOT_INTERESTED_IN_BRAND,
    NOT_INTERESTED_IN_CATEGORY,
    OWNED,
    SEEN_TOO_OFTEN,
    WITHDRAWN,
)
from state.store import StateStore

_EVERY_DIMENSION = [feedback_pb2.RatingDimension.Name(number) for number in DIMENSIONS]
_SAID = {
    NOT_INTERESTED: "not_interested",
    NOT_INTERESTED_IN_BRAND: "not_interested_in_brand",
    NOT_INTERESTED_IN_CATEGORY: "not_interested_in_category",
    SEEN_TOO_OFTEN: "seen_too_often",
    OWNED: "own_it",
    WITHDRAWN: "undo",
}


class Feedback:
    """The feedback of one replica; methods may run many times at once on one event loop."""

    def __init__(
        self,
        settings: SatisfactionSettings,
        store: StateStore,
        codec: AttributionCodec,
        catalogue: Callable[[], Catalogue],
        metrics: ProcessMetrics,
        rated: Callable[[Attribution, str, bool], None] = lambda token, user_id, satisfied: None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """Opens nothing.

        Args:
            settings: whom to ask.
            store: user state and event log.
            codec: decodes attribution tokens.
            catalogue: returns that of the snapshot in service.
            metrics: count what is said.
            rated: receives each rating of an answer once it is stored: the answer's token, the shopper, and
                whether the shopper is satisfied.
            wall_clock: unix seconds.
        """
        self._ask = settings.ask
        self._store = store
        self._codec = codec
        self._catalogue = catalogue
        self._metrics = metrics.group(FeedbackMetrics)
        self._rated = rated
        self._wall_clock = wall_clock

    async def send(
        self, request: feedback_pb2.SendFeedbackRequest, call: Call
    ) -> feedback_pb2.SendFeedbackResponse:
        """Stores feedback; returns once it is durable.

        Raises:
            CallerError: the request breaks a rule; nothing was stored.
            OverloadError: the store's queue is full; nothing was stored.
            StorageError: the store failed; nothing was acknowledged.
        """
        now_ms = int(self._wall_clock() * 1_000)
        try:
            checked = check_feedback(request, self._catalogue(), now_ms, self._codec, call.sent_as)
        except CallerError as error:
            self._metrics.feedback["refused",].inc()
            if isinstance(error, TokenRefused):
                self._metrics.tokens[error.kind,].inc()
            raise
        stored = await self._append(checked.batch)
        for reason in checked.uncredited:
            self._metrics.tokens[reason,].inc()
        self._metrics.feedback["stored" if stored else "repeated",].inc()
        for row in stored:
            self._count(checked, row)
        return feedback_pb2.SendFeedbackResponse(already_stored=not stored, credited=checked.credited)

    async def should_ask(
        self, request: feedback_pb2.ShouldAskRequest, call: Call
    ) -> feedback_pb2.ShouldAskResponse:
        """Whether to ask a shopper now; that they were is durable before a yes. Raises as `send`."""
        size = len(request.user_id.encode())
        if size > MAX_ID_BYTES:
            raise CallerError.of("user_id", f"has {size:,} bytes; at most {MAX_ID_BYTES} are allowed")
        reason = await self._reason(request.user_id)
        self._metrics.asked[reason,].inc()
        if reason != "asked":
            return feedback_pb2.ShouldAskResponse(ask=False, reason=reason)
        return feedback_pb2.ShouldAskResponse(ask=True, reason=reason, dimensions=_EVERY_DIMENSION)

    async def _reason(self, user_id: str) -> str:
        now = self._wall_clock()
        if not self._ask.enabled:
            return "off"
        if not user_id:
            return "anonymous"
        if not is_sampled(self._ask, user_id, now):
            return "not_sampled"
        state = await self._store.read(user_id)
        if was_asked_lately(self._ask, state.surveys, now):
            return "lately"
        if not await asyncio.to_thread(self._store.take, QUESTIONS, self._ask.per_minute, MINUTE_S):
            return "rate"
        # Of calls at one time, on whichever replica, the store takes one.
        return "asked" if await self._append(question(user_id, state.surveys, now)) else "lately"

    async def _append(self, batch: EventBatch) -> tuple[int, ...]:
        try:
            return tuple(await self._store.append(batch))
        except StateOverloaded as full:
            raise OverloadError(full.retry_after_s, "the queue of events to be stored is full") from full

    def _count(self, checked: CheckedFeedback, row: int) -> None:
        event = checked.batch.rows[row]
        if event.rating is None:
            self._metrics.items[_SAID[event.event],].inc()
            return
        for dimension, value in event.rating.ratings.items():
            self._metrics.ratings[dimension, str(value)].inc()
        if event.rating.ratings and event.attribution_token and checked.token is not None:
            values = event.rating.ratings.values()
            self._rated(checked.token, event.user_id, sum(values) / len(values) >= SATISFIED)
