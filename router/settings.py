"""Everything the router can be told, section by section."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from recall.settings import RecallSettings
from router.attribution import AttributionSettings
from router.engine.settings import SnapshotWatchSettings
from router.ingress.settings import IngressSettings, RaySettings
from router.metrics.settings import MetricsSettings
from router.ranking.settings import RankingSettings
from router.service.settings import AdmissionSettings, RequestLogSettings
from router.state.settings import StateSettings


class RouterSettings(BaseModel):
    """The router's configuration. Relative paths start at the folder the router is started in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scenes: Path = Field(
        Path("config/scenes.yaml"), description="Scene configuration; edits apply without a restart."
    )
    ingress: IngressSettings = IngressSettings()
    ray: RaySettings = RaySettings()
    snapshots: SnapshotWatchSettings = SnapshotWatchSettings()
    recall: RecallSettings = RecallSettings()
    ranking: RankingSettings = RankingSettings()
    state: StateSettings = StateSettings()
    attribution: AttributionSettings = AttributionSettings()
    admission: AdmissionSettings = AdmissionSettings()
    request_log: RequestLogSettings = RequestLogSettings()
    metrics: MetricsSettings = MetricsSettings()
