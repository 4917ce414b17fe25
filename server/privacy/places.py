"""Where a router keeps data of shoppers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from router.service.settings import RequestLogSettings
from server.recording.settings import RecordingSettings
from state.feature_log.settings import FeatureLogSettings
from state.settings import StateSettings

if TYPE_CHECKING:
    from server.settings import RouterSettings


class Places(BaseModel):
    """The sections of the router's configuration that say where data of shoppers are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    state: StateSettings
    feature_log: FeatureLogSettings
    recording: RecordingSettings
    request_log: RequestLogSettings
    snapshots: Path = Field(description="Folder of the serving snapshots.")
    learning: Path = Field(description="Folder in which a learner publishes.")

    @classmethod
    def of(cls, settings: RouterSettings) -> Places:
        """Those of a router."""
        return cls(
            state=settings.state,
            feature_log=settings.feature_log,
            recording=settings.recording,
            request_log=settings.request_log,
            snapshots=settings.snapshots.folder,
            learning=settings.learning.folder,
        )
