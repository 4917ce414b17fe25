"""A running service: what ingresses and RPC handlers need with it, and the work that keeps it current."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tritonclient.grpc.aio import InferenceServerClient

from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from inspection.inspection import Inspection
from learning.satisfaction.service import Feedback
from rollout.rollouts import Rollouts
from router.engine.live import LiveEngine
from router.engine.snapshot_verification import SnapshotVerification
from router.feature_log.feature_log import FeatureLog
from router.ranking.triton_client import TritonClient
from router.service.admission import Admission
from router.service.request_log import RequestLog
from router.service.service import RecommendationService
from server.privacy.process import PrivacyWorkers
from server.recording.request_recorder import RequestRecorder
from state.plan_counts.budget_ledger import BudgetLedger
from state.plan_counts.plan_ledger import PlanLedger
from state.store import StateStore
from vision.detect_objects import ObjectDetector
from vision.match_outfit import OutfitMatcher
from vision.photo_search import PhotoSearch
from vision.put_pictures import PictureUploads

if TYPE_CHECKING:
    from foundation.telemetry.tracing.open_tracing import Tracing

logger = logging.getLogger(__name__)

_SIDE_EFFECTS_DRAIN_MS = 2_000.0
_RECORDING_CLOSES_WITHIN_S = 2.0
_FEATURE_LOG_CLOSES_WITHIN_S = 2.0


class ServiceDied(Exception):
    """A part of the service that must run for ever has ended; the process should be replaced."""


@dataclass
class RunningService:
    """A service, what ingresses and RPC handlers need with it, and the work that keeps it current."""

    service: RecommendationService
    request_log: RequestLog
    metrics: ProcessMetrics
    live: LiveEngine
    verification: SnapshotVerification
    """Told of bugs, which may come of a damaged file."""
    rollouts: Rollouts
    admission: Admission
    tracing: Tracing | None
    """Where traces of requests go; None where none are exported."""
    recorder: RequestRecorder | None
    """Keeps requests for replay; None where none are kept."""
    feature_log: FeatureLog
    """Keeps answers for learners."""
    feedback: Feedback
    """What shoppers say."""
    photo_search: PhotoSearch
    """Answers photos."""
    objects: ObjectDetector
    """Answers where things are in photos."""
    outfits: OutfitMatcher
    """Answers what goes with an item."""
    uploads: PictureUploads
    """Adds and deletes pictures of items."""
    uploads_refused: str
    """Why nobody may do that; "" where operators may."""
    inspection: Inspection
    """What operators look at."""
    inspection_refused: str
    """Why nobody may look; "" where operators may."""
    privacy: PrivacyWorkers
    """Hands out and deletes data of shoppers."""
    privacy_refused: str
    """Why nobody may do that; "" where operators may."""
    _store: StateStore
    _ledger: PlanLedger
    _budgets: BudgetLedger
    _triton: TritonClient
    _readiness: InferenceServerClient
    _background: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def store(self) -> StateStore:
        """User state and event log."""
        return self._store

    def keep_running(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs `work` until `stop`; where it ends before, the log says why, and `check_alive` raises."""
        task = asyncio.create_task(work)
        task.add_done_callback(_log_end)
        self._background.append(task)

    def check_alive(self) -> None:
        """Raises `ServiceDied` where background work has ended."""
        for task in self._background:
            if task.done():
                raise ServiceDied(f"{task.get_coro()} has ended") from (
                    None if task.cancelled() else task.exception()
                )

    async def stop(self) -> None:
        """Ends background work, waits for side effects, closes what was opened; idempotent."""
        background, self._background = self._background, []
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await self.service.drain(_SIDE_EFFECTS_DRAIN_MS)
        await self._ledger.close()
        await self._budgets.close()
        await self.rollouts.close()
        await self._triton.close()
        await self._readiness.close()
        await asyncio.to_thread(self._store.close)
        if self.recorder is not None:
            await asyncio.to_thread(self.recorder.close, _RECORDING_CLOSES_WITHIN_S)
        await asyncio.to_thread(self.feature_log.close, _FEATURE_LOG_CLOSES_WITHIN_S)
        if self.tracing is not None:
            await asyncio.to_thread(self.tracing.close)


def _log_end(task: asyncio.Task[None]) -> None:
    # What notices it, Ray Serve's controller, writes to a log that is gone once the router has stopped.
    if not task.cancelled():
        logger.error(
            "%s has ended; this process is to be replaced", task.get_coro(), exc_info=task.exception()
        )
