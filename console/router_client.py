"""The router as the console sees it: its gRPC contract, with failures put into words for people."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import grpc

from console.picture_cache import PictureCache
from console.shared_answers import SharedAnswers
from protos.shopfront.v1 import (
    admin_pb2,
    event_pb2,
    feedback_pb2,
    recommend_pb2,
    rollout_pb2,
    visual_pb2,
)
from protos.shopfront.v1.admin_pb2_grpc import AdminServiceStub
from protos.shopfront.v1.event_pb2_grpc import EventServiceStub
from protos.shopfront.v1.feedback_pb2_grpc import FeedbackServiceStub
from protos.shopfront.v1.recommend_pb2_grpc import RecommendServiceStub
from protos.shopfront.v1.rollout_pb2_grpc import RolloutServiceStub
from protos.shopfront.v1.visual_pb2_grpc import VisualServiceStub
from server.ingress.client_channel import RouterAddress, open_async_channel, why_unanswered

_SCENES_FRESH_S = 5.0
_VERSIONS_FRESH_S = 1.0
_ROLLOUT_FRESH_S = 2.5
_RECENT_FRESH_S = 10.0
_PROFILES_FRESH_S = 60.0
_RECENT = 20
_PATIENT = 4.0
"""Edits of scenes build pipelines, and several pages."""


class RouterProblem(Exception):
    """A call came to nothing; the message is for a person.

    is_down   the router does not answer, and may soon
    is_older  the router does not know the method: it is of an older release
    """

    def __init__(self, message: str, code: grpc.StatusCode) -> None:
        """`code` as the call ended."""
        super().__init__(message)
        self.code = code
        self.is_down = code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
        self.is_older = code is grpc.StatusCode.UNIMPLEMENTED


class RouterClient:
    """Calls of one router; belongs to one event loop."""

    def __init__(
        self, router: RouterAddress, timeout_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`timeout_s`: seconds a call may take; `clock`: monotonic seconds. Raises `ChannelError`."""
        self.router = router
        self._timeout_s = timeout_s
        self._channel = open_async_channel(router)
        self._metadata = (("authorization", f"Bearer {router.token}"),) if router.token else ()
        self._admin = AdminServiceStub(self._channel)
        self._recommend = RecommendServiceStub(self._channel)
        self._events = EventServiceStub(self._channel)
        self._feedback = FeedbackServiceStub(self._channel)
        self._rollouts = RolloutServiceStub(self._channel)
        self._visual = VisualServiceStub(self._channel)
        self._shared = SharedAnswers(clock)
        self._pictures = PictureCache()

    async def close(self) -> None:
        """Ends the connection."""
        await self._channel.close()

    async def versions(self) -> admin_pb2.InspectVersionsResponse:
        """What serves; at most a second old."""
        request = admin_pb2.InspectVersionsRequest()
        return await self._shared.get(
            "versions", _VERSIONS_FRESH_S, lambda: self._call(self._admin.InspectVersions, request)
        )

    async def scenes(self) -> admin_pb2.InspectScenesResponse:
        """The configuration in service; at most five seconds old."""
        request = admin_pb2.InspectScenesRequest()
        return await self._shared.get(
            "scenes", _SCENES_FRESH_S, lambda: self._call(self._admin.InspectScenes, request)
        )

    async def metrics(self, prefixes: tuple[str, ...]) -> admin_pb2.ReadMetricsResponse:
        """The router's counts."""
        return await self._call(self._admin.ReadMetrics, admin_pb2.ReadMetricsRequest(prefixes=prefixes))

    async def explain(self, request: admin_pb2.ExplainPageRequest) -> admin_pb2.ExplainPageResponse:
        """A page explained."""
        return await self._call(self._admin.ExplainPage, request)

    async def search(self, query: str, limit: int) -> admin_pb2.SearchItemsResponse:
        """Items by id or words."""
        return await self._call(
            self._admin.SearchItems, admin_pb2.SearchItemsRequest(query=query, limit=limit)
        )

    async def describe(self, item_ids: list[str]) -> list[admin_pb2.ItemSummary]:
        """Items by their ids, in their order."""
        request = admin_pb2.DescribeItemsRequest(item_ids=item_ids)
        return list((await self._call(self._admin.DescribeItems, request)).items)

    async def picture(self, snapshot_id: str, item_id: str) -> admin_pb2.ReadItemPictureResponse:
        """The small picture of an item; asked for once as long as it is kept. `snapshot_id`: that serves."""
        kept = self._pictures.find((snapshot_id, item_id))
        if kept is None:
            request = admin_pb2.ReadItemPictureRequest(item_id=item_id)
            kept = await self._call(self._admin.ReadItemPicture, request)
            self._pictures.keep((snapshot_id, item_id), kept)
        return kept

    async def profiles(self) -> list[admin_pb2.ProfileField]:
        """What profiles of shoppers may say; at most a minute old."""
        request = admin_pb2.InspectProfilesRequest()
        answer = await self._shared.get(
            "profiles", _PROFILES_FRESH_S, lambda: self._call(self._admin.InspectProfiles, request)
        )
        return list(answer.fields)

    async def stage_times(self, scene: str) -> admin_pb2.ReadStageTimesResponse:
        """How long a scene's stages took over the last hour."""
        return await self._call(self._admin.ReadStageTimes, admin_pb2.ReadStageTimesRequest(scene=scene))

    async def logged_pages(
        self, request: admin_pb2.ListLoggedPagesRequest
    ) -> admin_pb2.ListLoggedPagesResponse:
        """Answers of the feature log."""
        return await self._call(self._admin.ListLoggedPages, request, _PATIENT)

    async def item(self, item_id: str, neighbours: int) -> admin_pb2.InspectItemResponse:
        """Facts and neighbours of an item."""
        request = admin_pb2.InspectItemRequest(item_id=item_id, neighbours=neighbours)
        return await self._call(self._admin.InspectItem, request)

    async def shopper(self, user_id: str, limit: int) -> admin_pb2.InspectShopperResponse:
        """What is known of a shopper."""
        request = admin_pb2.InspectShopperRequest(user_id=user_id, limit=limit)
        return await self._call(self._admin.InspectShopper, request)

    async def recent_pages(
        self, limit: int, user_id: str = "", *, slowest_first: bool = False
    ) -> list[admin_pb2.RecentPage]:
        """Pages that were answered last, the newest or the slowest first."""
        request = admin_pb2.ListRecentPagesRequest(limit=limit, user_id=user_id, slowest_first=slowest_first)
        return list((await self._call(self._admin.ListRecentPages, request)).pages)

    async def recent_shoppers(self) -> list[str]:
        """Shoppers of the pages that were answered last, each once; at most ten seconds old."""
        pages = await self._shared.get("recent", _RECENT_FRESH_S, lambda: self.recent_pages(_RECENT))
        return list(dict.fromkeys(page.user_id for page in pages if page.user_id))

    async def reports(self, kind: str) -> list[admin_pb2.Report]:
        """Reports on the router's machine."""
        return list(
            (await self._call(self._admin.ReadReports, admin_pb2.ReadReportsRequest(kind=kind))).reports
        )

    async def rules(self, item_id: str = "", *, expired: bool = False) -> admin_pb2.ListRulesResponse:
        """What is blocked and pinned; what an item falls under where `item_id` is not empty."""
        request = admin_pb2.ListRulesRequest(item_id=item_id, expired=expired)
        return await self._call(self._admin.ListRules, request)

    async def add_rule(self, request: admin_pb2.AddRuleRequest) -> admin_pb2.Rule:
        """Blocks or pins."""
        return await self._call(self._admin.AddRule, request)

    async def remove_rule(self, rule_id: str, operator: str, reason: str) -> admin_pb2.Rule:
        """Ends a rule."""
        request = admin_pb2.RemoveRuleRequest(id=rule_id, operator=operator, reason=reason)
        return await self._call(self._admin.RemoveRule, request)

    async def scene_file(self, change_id: str = "") -> admin_pb2.ReadSceneFileResponse:
        """The file of scenes; `change_id`: a change whose earlier content is wanted too."""
        return await self._call(
            self._admin.ReadSceneFile, admin_pb2.ReadSceneFileRequest(change_id=change_id)
        )

    async def preview_scenes(
        self, request: admin_pb2.PreviewScenesRequest
    ) -> admin_pb2.PreviewScenesResponse:
        """What edits would make of it."""
        return await self._call(self._admin.PreviewScenes, request, _PATIENT)

    async def apply_scenes(self, request: admin_pb2.ApplyScenesRequest) -> admin_pb2.ApplyScenesResponse:
        """Writes it; the next page shows what serves then."""
        answer = await self._call(self._admin.ApplyScenes, request, _PATIENT)
        self._shared.forget("scenes")
        return answer

    async def experiment_file(self, change_id: str = "") -> admin_pb2.ReadExperimentFileResponse:
        """The file of experiments; `change_id`: a change whose earlier content is wanted too."""
        request = admin_pb2.ReadExperimentFileRequest(change_id=change_id)
        return await self._call(self._admin.ReadExperimentFile, request)

    async def change_experiments(
        self, request: admin_pb2.ChangeExperimentsRequest
    ) -> admin_pb2.ChangeExperimentsResponse:
        """Writes it, or only checks what would be written; the next page shows what serves then."""
        answer = await self._call(self._admin.ChangeExperiments, request, _PATIENT)
        self._shared.forget("scenes")
        return answer

    async def page(self, request: recommend_pb2.RecommendPageRequest) -> recommend_pb2.RecommendPageResponse:
        """A page of several scenes, as a shopper gets it."""
        return await self._call(self._recommend.RecommendPage, request)

    async def similar(self, request: recommend_pb2.SimilarItemsRequest) -> recommend_pb2.RecommendResponse:
        """Items that go with one, as a shopper gets them."""
        return await self._call(self._recommend.SimilarItems, request)

    async def search_by_image(
        self, request: visual_pb2.SearchByImageRequest
    ) -> visual_pb2.SearchByImageResponse:
        """Items that look like a photo."""
        return await self._call(self._visual.SearchByImage, request)

    async def report(self, event: event_pb2.Event) -> event_pb2.ReportEventsResponse:
        """Reports one event."""
        return await self._call(self._events.ReportEvents, event_pb2.ReportEventsRequest(events=[event]))

    async def say(self, request: feedback_pb2.SendFeedbackRequest) -> feedback_pb2.SendFeedbackResponse:
        """Sends what a shopper says."""
        return await self._call(self._feedback.SendFeedback, request)

    async def rollout(self, model: str) -> rollout_pb2.RolloutStatus:
        """The model's rollout; that of the ranking model ("") at most a few seconds old."""
        request = rollout_pb2.GetRolloutRequest(model=model)
        if model:
            return await self._call(self._rollouts.GetRollout, request)
        return await self._shared.get(
            "rollout", _ROLLOUT_FRESH_S, lambda: self._call(self._rollouts.GetRollout, request)
        )

    async def rollout_history(self, model: str, after: int, limit: int) -> list[rollout_pb2.RolloutEvent]:
        """What happened to the model's rollouts, oldest first."""
        request = rollout_pb2.GetRolloutHistoryRequest(model=model, after=after, limit=limit)
        if model:
            return list((await self._call(self._rollouts.GetRolloutHistory, request)).events)
        answer = await self._shared.get(
            "rollout history",
            _ROLLOUT_FRESH_S,
            lambda: self._call(self._rollouts.GetRolloutHistory, request),
        )
        return list(answer.events)

    async def start_rollout(self, request: rollout_pb2.StartRolloutRequest) -> rollout_pb2.RolloutStatus:
        """Starts a rollout."""
        try:
            return await self._call(self._rollouts.StartRollout, request)
        finally:
            self._shared.forget("rollout", "rollout history")

    async def change_rollout(
        self, action: str, request: rollout_pb2.ChangeRolloutRequest
    ) -> rollout_pb2.RolloutStatus:
        """`action`: pause, resume, promote or abort."""
        calls = {
            "pause": self._rollouts.PauseRollout,
            "resume": self._rollouts.ResumeRollout,
            "promote": self._rollouts.PromoteRollout,
            "abort": self._rollouts.AbortRollout,
        }
        try:
            return await self._call(calls[action], request)
        finally:
            self._shared.forget("rollout", "rollout history")

    async def _call(self, method: Any, request: Any, patience: float = 1.0) -> Any:
        """`patience`: times as long as other calls that it may take."""
        timeout_s = self._timeout_s * patience
        try:
            return await method(request, timeout=timeout_s, metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            raise RouterProblem(self._words(error, timeout_s), error.code()) from error

    def _words(self, error: grpc.aio.AioRpcError, timeout_s: float) -> str:
        code = error.code()
        if code is grpc.StatusCode.UNIMPLEMENTED:
            return f"the router at {self.router.address} is of an older release and does not know this"
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return f"the router at {self.router.address} did not answer within {timeout_s:g} s"
        return why_unanswered(self.router, error)
