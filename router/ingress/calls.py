"""From a decoded request to a message or a refusal: everything the adapters share."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from protos.shopfront.v1 import event_pb2, recommend_pb2
from router.errors import BugError, CallerError, OverloadError
from router.ingress.malformed import MalformedRequest
from router.ingress.status import Refusal, deadline_refusal, refusal_of
from router.pipeline.stages import DeadlineExceeded
from router.service.call import new_call
from router.service.request_log import RequestLog
from router.service.service import RecommendationService

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Method:
    """One RPC: how the service answers it, and the empty response a refusal travels with."""

    answer: Callable[..., Any]
    response: type[Message]


class CallHandler:
    """Hands calls to the service and turns its exceptions into refusals; the same for every ingress."""

    def __init__(
        self,
        service: RecommendationService,
        request_log: RequestLog,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock`: monotonic seconds, the clock of the service."""
        self.service = service
        self._log = request_log
        self._clock = clock
        self._methods = {
            "Recommend": Method(service.recommend, recommend_pb2.RecommendResponse),
            "RecommendPage": Method(service.recommend_page, recommend_pb2.RecommendPageResponse),
            "SimilarItems": Method(service.similar_items, recommend_pb2.RecommendResponse),
            "ReportEvents": Method(service.report_events, event_pb2.ReportEventsResponse),
        }

    def empty_response(self, method: str) -> Message:
        """An empty message of the method's response type, for ingresses that must return one."""
        return self._methods[method].response()

    async def handle(
        self, method: str, request: Message | MalformedRequest, time_remaining: float | None
    ) -> Message | Refusal:
        """The answer of `method`, or why there is none.

        `time_remaining`: seconds until the caller's gRPC deadline, None where the ingress cannot see it.
        A bug is logged with its traceback and answered with the request id alone.
        """
        call = new_call(self._clock(), time_remaining)
        user_id = getattr(request, "user_id", "")
        try:
            if isinstance(request, MalformedRequest):
                raise CallerError([request.violation])
            response = await self._methods[method].answer(request, call)
        except (CallerError, OverloadError) as error:
            refusal = refusal_of(error)
        except DeadlineExceeded:
            refusal = deadline_refusal("the caller's deadline passed before the request was worked on")
        except Exception as error:
            self._log.failed(method, call.request_id, user_id, self._elapsed_ms(call.arrival), error)
            return refusal_of(BugError(call.request_id))
        else:
            self._log.answered(
                method, call.request_id, user_id, self._elapsed_ms(call.arrival), _degraded(response)
            )
            return response
        self._log.refused(
            method, call.request_id, user_id, self._elapsed_ms(call.arrival), refusal.code.name, refusal.details
        )
        return refusal

    def _elapsed_ms(self, arrival: float) -> float:
        return (self._clock() - arrival) * 1_000


def _degraded(response: Message) -> tuple[str, ...]:
    if isinstance(response, recommend_pb2.RecommendResponse):
        return tuple(response.degraded)
    if isinstance(response, recommend_pb2.RecommendPageResponse):
        return tuple(dict.fromkeys(name for scene in response.scenes for name in scene.degraded))
    return ()
