"""Settings of what is learned while the shop runs."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from learning.ranker.settings import OnlineRankerSettings
from learning.satisfaction.prediction.settings import PredictionSettings
from learning.stream.settings import StreamSettings


class LearningSettings(BaseModel):
    """Section `learning` of the router's configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: Literal["auto"] | bool = Field(
        default="auto",
        description="Whether `shopfront run` and `serve` start the learner, a process that reads the event "
        "log beside the router. auto: as soon as a scene, or an arm of an experiment, names what reads it, "
        "such as the scorers live, online. `shopfront learn` starts it wherever the router runs otherwise.",
    )
    folder: Path = Field(
        default=Path("build/sample/learning"),
        description="Folder in which the learner keeps its checkpoint and publishes live counters; replicas "
        "of the same machine follow it.",
    )
    follow_s: float = Field(
        default=0.5,
        gt=0,
        le=60,
        description="Seconds between two looks of replicas at what is published, and of the learner at the "
        "snapshot, the scenes and deletions of shoppers.",
    )
    erase_every_s: float = Field(
        default=3_600.0,
        ge=0,
        description="Least seconds between two times at which the learner reads the log anew, without "
        "shoppers that were deleted.",
    )
    stream: StreamSettings = Field(
        default_factory=StreamSettings, description="From the event log to counters and samples."
    )
    satisfaction: PredictionSettings = Field(
        default_factory=PredictionSettings, description="The model that learns from ratings."
    )
    ranker: OnlineRankerSettings = Field(
        default_factory=OnlineRankerSettings, description="The ranker that learns from the samples."
    )
