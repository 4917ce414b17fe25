"""`shopfront.v1.AdminService`: what operators look at, and what merchandisers change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inspection.bounds import MAX_BYTES, MAX_DESCRIBED, MAX_EDITS, MAX_ITEMS, MAX_PREFIXES, MAX_SHOPPERS
from protos.shopfront.v1 import admin_pb2
from router.errors import ForbiddenError
from router.limits import MAX_CART_ITEMS
from router.service.call import Call
from server.rpc.service import MethodOptions, Service

if TYPE_CHECKING:
    from inspection.inspection import Inspection
    from server.running_service import RunningService

_REQUEST_BYTES = 64 * 1024
_SCENE_BYTES = MAX_BYTES + _REQUEST_BYTES


class AdminHandler:
    """Answers through the inspection of this replica."""

    def __init__(self, running: RunningService) -> None:
        """`running`: the service of this replica."""
        self._running = running

    @property
    def _inspection(self) -> Inspection:
        """Raises `ForbiddenError` where this router shows nothing."""
        if self._running.inspection_refused:
            raise ForbiddenError(self._running.inspection_refused)
        return self._running.inspection

    async def ExplainPage(
        self, request: admin_pb2.ExplainPageRequest, call: Call
    ) -> admin_pb2.ExplainPageResponse:
        """A page, with the way of its items."""
        return await self._inspection.explain(request, call)

    async def SearchItems(
        self, request: admin_pb2.SearchItemsRequest, call: Call
    ) -> admin_pb2.SearchItemsResponse:
        """Items by id or by words."""
        return await self._inspection.search(request)

    async def DescribeItems(
        self, request: admin_pb2.DescribeItemsRequest, call: Call
    ) -> admin_pb2.DescribeItemsResponse:
        """Items by their ids."""
        return self._inspection.items(request)

    async def InspectItem(
        self, request: admin_pb2.InspectItemRequest, call: Call
    ) -> admin_pb2.InspectItemResponse:
        """Facts and neighbours of an item."""
        return await self._inspection.item(request)

    async def InspectShopper(
        self, request: admin_pb2.InspectShopperRequest, call: Call
    ) -> admin_pb2.InspectShopperResponse:
        """What is known of a shopper."""
        return await self._inspection.shopper(request)

    async def ListRecentPages(
        self, request: admin_pb2.ListRecentPagesRequest, call: Call
    ) -> admin_pb2.ListRecentPagesResponse:
        """The pages that this replica answered last."""
        return self._inspection.recent(request)

    async def InspectScenes(
        self, request: admin_pb2.InspectScenesRequest, call: Call
    ) -> admin_pb2.InspectScenesResponse:
        """The configuration in service."""
        return self._inspection.scenes()

    async def ReadMetrics(
        self, request: admin_pb2.ReadMetricsRequest, call: Call
    ) -> admin_pb2.ReadMetricsResponse:
        """The counts of every process."""
        return await self._inspection.metrics(request)

    async def ReadStageTimes(
        self, request: admin_pb2.ReadStageTimesRequest, call: Call
    ) -> admin_pb2.ReadStageTimesResponse:
        """How long stages took over the last hour."""
        return await self._inspection.stage_times(request)

    async def ListLoggedPages(
        self, request: admin_pb2.ListLoggedPagesRequest, call: Call
    ) -> admin_pb2.ListLoggedPagesResponse:
        """Answers of the feature log."""
        return await self._inspection.logged(request)

    async def InspectProfiles(
        self, request: admin_pb2.InspectProfilesRequest, call: Call
    ) -> admin_pb2.InspectProfilesResponse:
        """What profiles may say."""
        return self._inspection.profiles()

    async def ReadItemPicture(
        self, request: admin_pb2.ReadItemPictureRequest, call: Call
    ) -> admin_pb2.ReadItemPictureResponse:
        """A small picture of an item."""
        return self._inspection.pictures.read(request)

    async def InspectVersions(
        self, request: admin_pb2.InspectVersionsRequest, call: Call
    ) -> admin_pb2.InspectVersionsResponse:
        """What serves."""
        return self._inspection.versions()

    async def ReadReports(
        self, request: admin_pb2.ReadReportsRequest, call: Call
    ) -> admin_pb2.ReadReportsResponse:
        """Reports written on the router's machine."""
        return await self._inspection.reports(request)

    async def ListRules(self, request: admin_pb2.ListRulesRequest, call: Call) -> admin_pb2.ListRulesResponse:
        """What is blocked and pinned."""
        return await self._inspection.merchandising.listed(request)

    async def AddRule(self, request: admin_pb2.AddRuleRequest, call: Call) -> admin_pb2.Rule:
        """Blocks or pins."""
        return await self._inspection.merchandising.add(request)

    async def RemoveRule(self, request: admin_pb2.RemoveRuleRequest, call: Call) -> admin_pb2.Rule:
        """Ends a rule."""
        return await self._inspection.merchandising.remove(request)

    async def ReadSceneFile(
        self, request: admin_pb2.ReadSceneFileRequest, call: Call
    ) -> admin_pb2.ReadSceneFileResponse:
        """The file of scenes."""
        return await self._inspection.scene_edits.read(request)

    async def PreviewScenes(
        self, request: admin_pb2.PreviewScenesRequest, call: Call
    ) -> admin_pb2.PreviewScenesResponse:
        """What edits would make of it."""
        return await self._inspection.scene_edits.preview(request, call)

    async def ApplyScenes(
        self, request: admin_pb2.ApplyScenesRequest, call: Call
    ) -> admin_pb2.ApplyScenesResponse:
        """Writes it."""
        return await self._inspection.scene_edits.apply(request)

    async def ReadExperimentFile(
        self, request: admin_pb2.ReadExperimentFileRequest, call: Call
    ) -> admin_pb2.ReadExperimentFileResponse:
        """The file of experiments."""
        return await self._inspection.experiments.read(request)

    async def ChangeExperiments(
        self, request: admin_pb2.ChangeExperimentsRequest, call: Call
    ) -> admin_pb2.ChangeExperimentsResponse:
        """Writes it, or only checks what would be written."""
        return await self._inspection.experiments.change(request)


SERVICE = Service(
    admin_pb2.DESCRIPTOR.services_by_name["AdminService"],
    AdminHandler,
    MethodOptions(
        # Looking must never take the place of shoppers' calls.
        cost="bulk",
        concurrent=4,
        request_bytes=_REQUEST_BYTES,
        repeated={"item_ids": MAX_ITEMS, "cart_item_ids": MAX_CART_ITEMS, "prefixes": MAX_PREFIXES},
        operators=True,
    ),
    methods={
        "DescribeItems": MethodOptions(
            cost="bulk", request_bytes=_REQUEST_BYTES, repeated={"item_ids": MAX_DESCRIBED}, operators=True
        ),
        "PreviewScenes": MethodOptions(
            cost="bulk",
            request_bytes=_SCENE_BYTES,
            repeated={"edits": MAX_EDITS, "user_ids": MAX_SHOPPERS},
            operators=True,
        ),
        "ApplyScenes": MethodOptions(cost="bulk", request_bytes=_SCENE_BYTES, operators=True),
        "ReadItemPicture": MethodOptions(cost="bulk", request_bytes=_REQUEST_BYTES, operators=True),
        "ChangeExperiments": MethodOptions(
            cost="bulk", request_bytes=_SCENE_BYTES, repeated={"edits": MAX_EDITS}, operators=True
        ),
    },
)
