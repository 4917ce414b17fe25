"""The router's configuration, composed of the sections that each room declares."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from environment.settings import EnvironmentSettings
from foundation.telemetry.metrics.settings import MetricsSettings
from foundation.verdicts.settings import VerdictSettings
from inspection.settings import InspectionSettings
from learning.satisfaction.settings import SatisfactionSettings
from learning.settings import LearningSettings
from recall.settings import RecallSettings
from rollout.settings import RolloutSettings
from router.engine.settings import SnapshotWatchSettings
from router.ranking.settings import TritonClientSettings
from router.scenes.problems import SettingsError
from router.scenes.table_settings import TablesSettings
from router.service.settings import AdmissionSettings, RequestLogSettings
from server.ingress_settings import (
    IngressSettings,
    RaySettings,
    SupervisionSettings,
    is_loopback,
    split_address,
)
from server.recording.settings import RecordingSettings
from state.attribution import AttributionSettings
from state.feature_log.settings import FeatureLogSettings
from state.settings import StateSettings
from vision.settings import PhotoSearchSettings


class RouterSettings(BaseModel):
    """The router's configuration. Relative paths start at the folder the router is started in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scenes: Path = Field(
        Path("config/scenes.yaml"),
        description="Scene configuration; edits apply without a restart. Unlike other paths, this and "
        "experiments start at the folder above the configuration file's, where they are relative.",
    )
    experiments: Path | None = Field(
        None,
        description="Experiments on scenes; edits apply without a restart. null, or a file that is not "
        "there: none are run.",
    )
    business_rules: Path | None = Field(
        None,
        description="File of blocks, pins and exposure plans (`shopfront block`, `pin`, `plan`); edits apply "
        "within snapshots.poll_interval_s. null, or a file that is not there: none.",
    )
    exposure_exchange_s: float = Field(
        0.5,
        gt=0,
        le=60,
        description="Seconds after which replicas tell each other what they have shown under exposure plans; "
        "sooner where half of a plan's slack is used.",
    )
    ingress: IngressSettings = Field(
        default_factory=IngressSettings, description="Where and how calls are received."
    )
    ray: RaySettings = Field(
        default_factory=RaySettings, description="The Ray node or cluster the replicas run on."
    )
    supervision: SupervisionSettings = Field(
        default_factory=SupervisionSettings,
        description="How a router that has died is replaced, and processes that do not answer.",
    )
    snapshots: SnapshotWatchSettings = Field(
        default_factory=SnapshotWatchSettings, description="Where snapshots are stored."
    )
    recall: RecallSettings = Field(
        default_factory=RecallSettings,
        description="How recall channels are opened and searched; the same settings as they were built with.",
    )
    tables: TablesSettings = Field(
        default_factory=TablesSettings,
        description="How learned tables of filters, rerankers and fusions are opened; as they were built.",
    )
    ranking: TritonClientSettings = Field(
        default_factory=TritonClientSettings, description="Where Triton is."
    )
    rollout: RolloutSettings = Field(
        default_factory=RolloutSettings, description="How a model version takes over, in stages."
    )
    sandbox: VerdictSettings = Field(
        default_factory=VerdictSettings, description="What does not begin without a sandbox test that passed."
    )
    state: StateSettings = Field(
        default_factory=StateSettings, description="Where user state and the event log are stored."
    )
    attribution: AttributionSettings = Field(
        default_factory=AttributionSettings, description="How attribution tokens are signed."
    )
    satisfaction: SatisfactionSettings = Field(
        default_factory=SatisfactionSettings, description="Whom to ask how satisfied they are."
    )
    learning: LearningSettings = Field(
        default_factory=LearningSettings, description="What is learned while the shop runs."
    )
    environment: EnvironmentSettings = Field(
        default_factory=EnvironmentSettings, description="Weather by city, and the alerts that follow."
    )
    admission: AdmissionSettings = Field(
        default_factory=AdmissionSettings, description="How much work one replica accepts."
    )
    request_log: RequestLogSettings = Field(
        default_factory=RequestLogSettings, description="What is logged about calls."
    )
    recording: RecordingSettings = Field(
        default_factory=RecordingSettings, description="Which requests are kept for replay."
    )
    feature_log: FeatureLogSettings = Field(
        default_factory=FeatureLogSettings,
        description="Where answers are kept for learners, of scenes with feature_log.enabled.",
    )
    inspection: InspectionSettings = Field(
        default_factory=InspectionSettings, description="What operators may look at (AdminService)."
    )
    photo_search: PhotoSearchSettings = Field(
        default_factory=PhotoSearchSettings,
        description="What photos may be, in shops whose items have pictures.",
    )
    metrics: MetricsSettings = Field(
        default_factory=MetricsSettings, description="What is counted and where it is served."
    )

    @model_validator(mode="after")
    def _ray_asks_strangers_for_a_token(self) -> RouterSettings:
        host, _ = split_address(self.ingress.address)
        if not (is_loopback(host) or self.ray.address or self.ray.auth_mode == "token"):
            raise ValueError(
                f"address {self.ingress.address} can be reached from other machines, and so can Ray, which "
                "takes code from anyone who reaches it; set ray.auth_mode: token, or use 127.0.0.1"
            )
        return self


def plugins_of(tree: Any, path: str) -> tuple[str, ...]:
    """The setting `plugins` of a configuration file, which is read before the rest is validated.

    Sections of the settings come from registries that plug-ins extend.

    Args:
        tree: the parsed file.
        path: where it lies, for messages.

    Raises:
        SettingsError: it is not a list of dotted module names.
    """
    listed = (tree.get("plugins") or []) if isinstance(tree, dict) else []
    if not isinstance(listed, list) or not all(isinstance(name, str) and _is_dotted(name) for name in listed):
        raise SettingsError(
            path,
            [f"plugins: a list of dotted module names is expected, such as [my_shop.parts]; got {listed!r}"],
        )
    return tuple(listed)


def _is_dotted(name: str) -> bool:
    return all(part.isidentifier() for part in name.split("."))
