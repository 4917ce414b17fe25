"""What AdminService answers, over one replica's engine and store."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable, Coroutine
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.profile import PROFILE_FIELDS
from inspection.bounds import MAX_DESCRIBED
from inspection.catalogue_search import CatalogueSearch
from inspection.explain import Explainer
from inspection.item_facts import inspect_item
from inspection.item_pictures import ItemPictures
from inspection.item_summaries import summaries
from inspection.logged_pages import MAX_PAGES, LoggedPages
from inspection.merchandising import Merchandising
from inspection.metric_samples import MetricSamples
from inspection.recent_pages import RecentPages
from inspection.report_files import read_reports
from inspection.scene_details import inspect_scenes
from inspection.scene_edits.experiment_edits import ExperimentEdits
from inspection.scene_edits.scene_edits import SceneEdits
from inspection.scene_edits.scene_file import SceneFile
from inspection.settings import InspectionSettings
from inspection.shopper_facts import inspect_shopper
from inspection.stage_history import StageHistory
from protos.shopfront.v1 import admin_pb2
from router.engine.live import LiveEngine
from router.errors import CallerError, PreconditionError
from router.service.call import Call
from router.service.prepare import Sources
from snapshot.catalogue import Catalogue
from snapshot.id_limit import MAX_ID_BYTES

CONTRACT = 3
"""Rises with what is added to AdminService, so that a console knows what a router can show."""
_MAX_QUERY = 200
_MAX_PROFILE_VALUES = 500


class Inspection:
    """Answers of AdminService; belongs to one event loop."""

    def __init__(
        self,
        live: LiveEngine,
        sources: Sources,
        recent: RecentPages,
        settings: InspectionSettings,
        metrics: Path | None,
        merchandising: Merchandising,
        scene_file: SceneFile,
        experiment_file: SceneFile | None,
        logged: LoggedPages,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """`sources`: what requests are answered from beside the snapshot.

        `metrics`: folder in which the processes count, None where they do not.

        `merchandising`: answers what is about business rules; `scene_file`: what scenes are read from;
        `experiment_file`: what experiments are; `logged`: the feature log; `wall_clock`: unix seconds.
        """
        self.merchandising = merchandising
        self.explainer = Explainer(live, sources)
        self.scene_edits = SceneEdits(live, scene_file, self.explainer)
        self.experiments = ExperimentEdits(live, experiment_file)
        self.pictures = ItemPictures(live)
        self.settings = settings
        self._live = live
        self._store = sources.store
        self._published = sources.published
        self._recent = recent
        self._logged = logged
        self._metrics = None if metrics is None else MetricSamples(metrics)
        self._stages = None if self._metrics is None else StageHistory(self._metrics)
        self._wall_clock = wall_clock
        self._started_ms = int(wall_clock() * 1_000)
        self._search: CatalogueSearch | None = None

    def background(self) -> list[Coroutine[Any, Any, None]]:
        """Work that runs as long as the replica."""
        return [] if self._stages is None else [self._stages.run()]

    async def search(self, request: admin_pb2.SearchItemsRequest) -> admin_pb2.SearchItemsResponse:
        """Items by id or by words. Raises `CallerError`."""
        if not 1 <= len(request.query.strip()) <= _MAX_QUERY:
            raise CallerError.of("query", f"must be 1 to {_MAX_QUERY} characters")
        limit = _limit("limit", request.limit, 20, 100)
        catalogue = self._live.current.catalogue
        found, searched = await asyncio.to_thread(self._find, catalogue, request.query, limit)
        return admin_pb2.SearchItemsResponse(
            items=summaries(catalogue, found),
            searched=searched,
            truncated=catalogue.size > self.settings.search_items,
        )

    def _find(self, catalogue: Catalogue, query: str, limit: int) -> tuple[NDArray[np.int32], int]:
        search = self._search
        if search is None or search.catalogue is not catalogue:
            search = self._search = CatalogueSearch(catalogue, self.settings.search_items)
        return search.find(query, limit)

    def items(self, request: admin_pb2.DescribeItemsRequest) -> admin_pb2.DescribeItemsResponse:
        """Items by their ids. Raises `CallerError`."""
        if len(request.item_ids) > MAX_DESCRIBED:
            raise CallerError.of(
                "item_ids", f"must hold at most {MAX_DESCRIBED} items, holds {len(request.item_ids)}"
            )
        for index, item_id in enumerate(request.item_ids):
            _require_id(f"item_ids[{index}]", item_id)
        catalogue = self._live.current.catalogue
        found = summaries(catalogue, catalogue.dense(list(request.item_ids)))
        for item_id, each in zip(request.item_ids, found, strict=True):
            each.item_id = item_id
        self.pictures.mark(found)
        return admin_pb2.DescribeItemsResponse(items=found)

    async def item(self, request: admin_pb2.InspectItemRequest) -> admin_pb2.InspectItemResponse:
        """Facts and neighbours of one item. Raises `CallerError`, also where the catalogue lacks it."""
        limit = _limit("neighbours", request.neighbours, 10, 50)
        _require_id("item_id", request.item_id)
        engine = self._live.current
        item = int(engine.catalogue.dense([request.item_id])[0])
        if not item:
            raise CallerError.of("item_id", "is not in the catalogue in service")
        found = await inspect_item(engine, item, limit, int(self._wall_clock()))
        self.pictures.mark([found.item])
        return found

    async def explain(
        self, request: admin_pb2.ExplainPageRequest, call: Call
    ) -> admin_pb2.ExplainPageResponse:
        """A page with the way of its items. Raises as `Explainer.explain`."""
        explained = await self.explainer.explain(request, call)
        self.pictures.mark([each.item for each in explained.items])
        return explained

    async def shopper(self, request: admin_pb2.InspectShopperRequest) -> admin_pb2.InspectShopperResponse:
        """What is known of one shopper. Raises `CallerError`, and `StorageError` as the store does."""
        limit = _limit("limit", request.limit, 50, 200)
        _require_id("user_id", request.user_id)
        state = await self._store.read(request.user_id)
        return inspect_shopper(state, self._live.current.catalogue, limit)

    def recent(self, request: admin_pb2.ListRecentPagesRequest) -> admin_pb2.ListRecentPagesResponse:
        """The last pages. Raises `CallerError`."""
        limit = _limit("limit", request.limit, 50, 200)
        catalogue = self._live.current.catalogue
        return self._recent.listed(catalogue, limit, request.user_id, slowest_first=request.slowest_first)

    async def logged(self, request: admin_pb2.ListLoggedPagesRequest) -> admin_pb2.ListLoggedPagesResponse:
        """Answers of the feature log. Raises `CallerError`, `PreconditionError` where it cannot be read."""
        limit = _limit("limit", request.limit, 20, MAX_PAGES)
        for field in ("scene", "user_id", "request_id"):
            if len(getattr(request, field).encode()) > MAX_ID_BYTES:
                raise CallerError.of(field, f"must have at most {MAX_ID_BYTES} bytes of UTF-8")
        if request.before < 0:
            raise CallerError.of("before", "must be a unix second, or 0")
        try:
            return await asyncio.to_thread(self._logged.listed, self._live.current, limit, request)
        except OSError as error:
            raise PreconditionError(
                "FEATURE_LOG", "feature_log.folder", f"the feature log cannot be read: {error}"
            ) from error

    def profiles(self) -> admin_pb2.InspectProfilesResponse:
        """What profiles may say."""
        vocab = self._live.current.catalogue.profile_vocab
        return admin_pb2.InspectProfilesResponse(
            fields=[
                admin_pb2.ProfileField(name=field, values=vocab.get(field, ())[:_MAX_PROFILE_VALUES])
                for field in PROFILE_FIELDS
            ]
        )

    async def stage_times(self, request: admin_pb2.ReadStageTimesRequest) -> admin_pb2.ReadStageTimesResponse:
        """How long stages took. Raises `CallerError`, `PreconditionError` where nothing is counted."""
        if request.scene not in self._live.current.scenes:
            raise CallerError.of("scene", "is none of the configuration in service")
        if self._stages is None:
            raise self._uncounted()
        return await self._stages.times(request.scene)

    def scenes(self) -> admin_pb2.InspectScenesResponse:
        """The configuration in service."""
        return inspect_scenes(self._live.current, self._published().channel_rates)

    async def metrics(self, request: admin_pb2.ReadMetricsRequest) -> admin_pb2.ReadMetricsResponse:
        """The counts. Raises `PreconditionError` where nothing is counted."""
        if self._metrics is None:
            raise self._uncounted()
        return await self._metrics.read(request.prefixes)

    @staticmethod
    def _uncounted() -> PreconditionError:
        return PreconditionError("METRICS", "metrics.enabled", "this router keeps no counts: metrics are off")

    def versions(self) -> admin_pb2.InspectVersionsResponse:
        """What serves."""
        engine = self._live.current
        manifest = engine.snapshot.manifest
        return admin_pb2.InspectVersionsResponse(
            snapshot_id=engine.snapshot_id,
            snapshot_created_ms=_milliseconds(manifest.created_at),
            dataset=manifest.dataset,
            source=manifest.source,
            items=engine.catalogue.size,
            models=engine.model_versions,
            replica=f"{socket.gethostname()}-{os.getpid()}",
            replica_started_ms=self._started_ms,
            contract=CONTRACT,
        )

    async def reports(self, request: admin_pb2.ReadReportsRequest) -> admin_pb2.ReadReportsResponse:
        """The reports of a kind. Raises `CallerError`."""
        folders = {"evaluation": self.settings.evaluation, "experiments": self.settings.experiments}
        if request.kind not in folders:
            raise CallerError.of("kind", f"must be one of {', '.join(folders)}")
        return await asyncio.to_thread(read_reports, folders[request.kind])


def _limit(field: str, asked: int, default: int, most: int) -> int:
    if not 0 <= asked <= most:
        raise CallerError.of(field, f"must be 1 to {most}, or 0 for {default}")
    return asked or default


def _require_id(field: str, value: str) -> None:
    if not 1 <= len(value.encode()) <= MAX_ID_BYTES:
        raise CallerError.of(field, f"must be 1 to {MAX_ID_BYTES} bytes of UTF-8")


def _milliseconds(created_at: str) -> int:
    try:
        return int(datetime.fromisoformat(created_at).timestamp() * 1_000)
    except ValueError:
        return 0
