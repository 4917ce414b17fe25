"""Everything the router can be told, section by section."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from foundation.telemetry.metrics.settings import MetricsSettings
from recall.settings import RecallSettings
from rollout.settings import RolloutSettings
from router.engine.settings import SnapshotWatchSettings
from router.feature_log.settings import FeatureLogSettings
from router.ranking.settings import TritonClientSettings
from router.recording.settings import RecordingSettings
from router.service.settings import AdmissionSettings, RequestLogSettings
from server.ingress.settings import IngressSettings, RaySettings, SupervisionSettings
from state.attribution import AttributionSettings
from state.settings import StateSettings


class RouterSettings(BaseModel):
    """The router's configuration. Relative paths start at the folder the router is started in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scenes: Path = Field(
        Path("config/scenes.yaml"), description="Scene configuration; edits apply without a restart."
    )
    experiments: Path | None = Field(
        None,
        description="Experiments on scenes; edits apply without a restart. null, or a file that is not "
        "there: none are run.",
    )
    ingress: IngressSettings = Field(default_factory=IngressSettings, description="Where calls come in.")
    ray: RaySettings = Field(
        default_factory=RaySettings, description="The Ray node or cluster the replicas run on."
    )
    supervision: SupervisionSettings = Field(
        default_factory=SupervisionSettings,
        description="How `shopfront run` starts a router anew that has died.",
    )
    snapshots: SnapshotWatchSettings = Field(
        default_factory=SnapshotWatchSettings, description="Where snapshots lie."
    )
    recall: RecallSettings = Field(
        default_factory=RecallSettings,
        description="How recall channels are opened and asked; as they were built.",
    )
    ranking: TritonClientSettings = Field(
        default_factory=TritonClientSettings, description="Where Triton is."
    )
    rollout: RolloutSettings = Field(
        default_factory=RolloutSettings, description="How a model version takes over, in stages."
    )
    state: StateSettings = Field(
        default_factory=StateSettings, description="Where user state and the event log live."
    )
    attribution: AttributionSettings = Field(
        default_factory=AttributionSettings, description="How attribution tokens are signed."
    )
    admission: AdmissionSettings = Field(
        default_factory=AdmissionSettings, description="How much work one replica takes on."
    )
    request_log: RequestLogSettings = Field(
        default_factory=RequestLogSettings, description="What is written about calls."
    )
    recording: RecordingSettings = Field(
        default_factory=RecordingSettings, description="Which requests are kept for replay."
    )
    feature_log: FeatureLogSettings = Field(
        default_factory=FeatureLogSettings,
        description="Where answers are kept for learners, of scenes with feature_log.enabled.",
    )
    metrics: MetricsSettings = Field(
        default_factory=MetricsSettings, description="What is counted and where it is served."
    )
