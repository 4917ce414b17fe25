"""From a decoded request to a message or a refusal: everything that the ingresses share."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from google.protobuf.message import Message

from foundation.storage.errors import StorageError
from foundation.telemetry.call_context import CURRENT_CALL, CallContext, text_field
from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from foundation.telemetry.tracing.request_trace import RequestTrace
from pipeline.stages import DeadlineExceeded
from protos.shopfront.v1 import recommend_pb2
from rollout.errors import RolloutStoreError
from router.errors import (
    BugError,
    CallerError,
    ForbiddenError,
    OverloadError,
    PreconditionError,
    RaceLostError,
)
from router.service.call import Call, new_call
from router.service.request_log import RequestLog
from router.service.serving_state import ServingState
from server.ingress.haproxy_launch import CALL_ID_HEADER
from server.ingress.malformed import MalformedRequest
from server.ingress.status import Refusal, deadline_refusal, refusal_of, unavailable_refusal
from server.recording.request_recorder import RequestRecorder
from server.request_metrics import RequestMetrics
from server.rpc.accounting import CallAccounting
from server.rpc.methods import BoundMethod, bind_methods

if TYPE_CHECKING:
    from foundation.telemetry.tracing.open_tracing import Tracing
    from server.running_service import RunningService

_OK = "OK"
# With the position of an event appended, it must be an event_id.
_MAX_CALL_ID = 48
_NO_METADATA: tuple[tuple[str, str], ...] = ()
Metadata = Iterable[tuple[str, str | bytes]]


class CallHandler:
    """Passes calls to the services and turns their exceptions into refusals; the same for every ingress."""

    def __init__(
        self,
        methods: Mapping[str, BoundMethod],
        accounting: CallAccounting,
        request_log: RequestLog,
        metrics: ProcessMetrics,
        *,
        scenes: Callable[[], Collection[str]],
        serving_state: Callable[[], ServingState],
        clock: Callable[[], float] = time.monotonic,
        tracing: Tracing | None = None,
        recorder: RequestRecorder | None = None,
        on_bug: Callable[[BaseException], None] = lambda error: None,
    ) -> None:
        """Creates the handler of one replica.

        Args:
            methods: what answers each method, by bare name (`server.rpc.methods.bind_methods`).
            accounting: which calls may be in progress at once.
            request_log: receives the outcome of each call.
            metrics: count each call.
            scenes: names of the configured scenes, the only ones that become label values.
            serving_state: whether this router can answer.
            clock: monotonic seconds, the clock of the services.
            tracing: None where no traces are exported.
            recorder: None where no requests are recorded.
            on_bug: called with each exception that ends a call INTERNAL.
        """
        self.serving_state = serving_state
        self._methods = methods
        self._accounting = accounting
        self._log = request_log
        self._metrics = metrics.group(RequestMetrics)
        self._scenes = scenes
        self._clock = clock
        self._tracing = tracing
        self._recorder = recorder
        self._on_bug = on_bug

    async def handle(
        self,
        method: str,
        request: Message | MalformedRequest,
        time_remaining: float | None,
        metadata: Callable[[], Metadata] = lambda: _NO_METADATA,
    ) -> Message | Refusal:
        """The answer of `method`, or why there is none.

        A bug is logged with its traceback and answered with the request id alone.

        Args:
            method: its bare name.
            request: the message, or why there is none.
            time_remaining: seconds until the caller's gRPC deadline, None where the ingress cannot see it.
            metadata: returns the call's metadata; called only where they are needed.
        """
        bound = self._methods[method]
        sent_as = _sent_as(metadata()) if bound.method.options.sender_id else ""
        call = new_call(self._clock(), time_remaining, sent_as)
        if self._recorder is not None and isinstance(request, Message):
            self._recorder.offer(method, bound.method.full_name, request)
        trace = None
        if self._tracing is not None:
            trace = self._tracing.begin(bound.method.full_name, metadata())
        context = CallContext(call.request_id, request, trace)
        token = CURRENT_CALL.set(context)
        code = "CANCELLED"
        try:
            answer = await self._observed(bound, request, call)
            code = answer.code.name if isinstance(answer, Refusal) else _OK
            if trace is not None:
                trace.attributes |= _traced_attributes(call, answer)
            return answer
        finally:
            CURRENT_CALL.reset(token)
            if trace is not None:
                self._end_trace(trace, code, context)

    def _end_trace(self, trace: RequestTrace, code: str, context: CallContext) -> None:
        assert self._tracing is not None
        self._tracing.end(trace, code, lambda text: self._log.user_ids.without(text, context.user_ids()))

    async def _observed(
        self, bound: BoundMethod, request: Message | MalformedRequest, call: Call
    ) -> Message | Refusal:
        """The answer, logged and counted."""
        method = bound.method.name
        user_id = text_field(request, "user_id")
        answer = await self._answer(bound, request, call, user_id)
        elapsed_s = self._clock() - call.arrival
        if isinstance(answer, Refusal):
            code = answer.code.name
            self._log.refused(method, call.request_id, user_id, elapsed_s * 1_000, code, answer.details)
        else:
            code = _OK
            self._log.answered(method, call.request_id, user_id, elapsed_s * 1_000, _degraded(answer))
        self._metrics.observe(method, self._scene(request), code, elapsed_s)
        for scene in _scene_answers(answer):
            if scene.items:
                self._metrics.model_answers[scene.scene, scene.model_name, scene.model_version].inc()
        return answer

    async def _answer(
        self, bound: BoundMethod, request: Message | MalformedRequest, call: Call, user_id: str
    ) -> Message | Refusal:
        method = bound.method.name
        try:
            if isinstance(request, MalformedRequest):
                raise CallerError([request.violation])
            with self._accounting.admit(bound.method):
                answer = await bound.answer(request, call)
            if not isinstance(answer, bound.method.response):
                # gRPC would fail to serialise it, and describe the failure to the caller.
                raise TypeError(f"{bound.method.full_name} returned a {type(answer).__name__}")
            return answer
        except (CallerError, ForbiddenError, OverloadError, PreconditionError, RaceLostError) as error:
            return refusal_of(error)
        except DeadlineExceeded:
            return deadline_refusal("the deadline passed before the request was worked on")
        except StorageError as error:
            self._log.failed(method, call.request_id, user_id, self._elapsed_ms(call), error)
            # Who may delete shoppers may read where they are stored.
            why = str(error) if bound.method.options.operators else "the user state cannot be written"
            return unavailable_refusal(f"{why}; request {call.request_id}")
        except RolloutStoreError as error:
            self._log.failed(method, call.request_id, user_id, self._elapsed_ms(call), error)
            return unavailable_refusal(f"the record of rollouts cannot be used; request {call.request_id}")
        except Exception as error:
            self._log.failed(method, call.request_id, user_id, self._elapsed_ms(call), error)
            self._on_bug(error)
            return refusal_of(BugError(call.request_id))

    def _scene(self, request: Message | MalformedRequest) -> str:
        # Only configured names may become label values.
        scene = text_field(request, "scene")
        return scene if scene in self._scenes() else ""

    def _elapsed_ms(self, call: Call) -> float:
        return (self._clock() - call.arrival) * 1_000


def _sent_as(metadata: Metadata) -> str:
    """The id that the router's proxy gave the call; "" where there is none."""
    for name, value in metadata:
        if name == CALL_ID_HEADER and isinstance(value, str) and len(value) <= _MAX_CALL_ID:
            return value
    return ""


def call_handler(running: RunningService) -> CallHandler:
    """The handler of a running service.

    Raises RegistrationError where a registered RPC service cannot be bound.
    """
    return CallHandler(
        bind_methods(running),
        CallAccounting(running.admission),
        running.request_log,
        running.metrics,
        scenes=lambda: running.service.scenes,
        serving_state=running.service.health,
        tracing=running.tracing,
        recorder=running.recorder,
        on_bug=running.verification.suspect,
    )


def _degraded(answer: Message | Refusal) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for scene in _scene_answers(answer) for name in scene.degraded))


def _scene_answers(answer: Message | Refusal) -> Sequence[recommend_pb2.RecommendResponse]:
    if isinstance(answer, recommend_pb2.RecommendResponse):
        return (answer,)
    return answer.scenes if isinstance(answer, recommend_pb2.RecommendPageResponse) else ()


def _traced_attributes(call: Call, answer: Message | Refusal) -> dict[str, Any]:
    """Attributes of the span of the whole call."""
    attributes: dict[str, Any] = {"shopfront.request_id": call.request_id}
    scenes = _scene_answers(answer)
    if scenes:
        attributes["shopfront.scenes"] = [scene.scene for scene in scenes]
        attributes["shopfront.snapshot_id"] = scenes[0].snapshot_id
        attributes["shopfront.degraded"] = _degraded(answer)
        attributes["shopfront.models"] = sorted(
            {f"{scene.model_name}:{scene.model_version}" for scene in scenes if scene.model_name}
        )
        attributes["shopfront.arms"] = sorted(
            {f"{experiment}:{arm}" for scene in scenes for experiment, arm in scene.arms.items()}
        )
    return attributes
