"""Settings of the online ranker and of what keeps a bad version from pages."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class GuardSettings(BaseModel):
    """When a version is not published, and the last good one stays."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    most_growth: float = Field(
        default=2.0,
        gt=1,
        description="Times the length of the last version's vector of weights, above which a version is held "
        "that does not predict better.",
    )
    free_length: float = Field(
        default=5.0, ge=0, description="Length of that vector up to which growth is not looked at."
    )
    auc_drop: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="AUC on the latest samples that a version may lose against the last one on the same.",
    )
    samples: int = Field(
        default=2_000, ge=100, description="Latest samples on which both are compared, at least half of them."
    )


class CorrectionSettings(BaseModel):
    """A second regression that learns what the first one misses now, and forgets quickly."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    enabled: bool = Field(default=True, description="Whether what is published is corrected by it.")
    uses: float = Field(
        default=50.0,
        gt=1,
        description="Latest samples with an input that the correction of this input remembers, about.",
    )
    alpha: float = Field(default=1.0, gt=0, description="As `alpha` of the ranker, of the correction.")
    l1: float = Field(default=2.0, ge=0, description="As `l1` of the ranker, of the correction.")
    share: float = Field(
        default=0.001,
        gt=0,
        lt=0.5,
        description="Probability, from one sample to the next, that predictions begin or cease to be better "
        "with the correction.",
    )


class OnlineRankerSettings(BaseModel):
    """FTRL-proximal logistic regression over hashed inputs."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    enabled: bool = Field(
        default=True,
        description="Whether the learner fits it: about 20 µs of a core per reported impression.",
    )
    bits: int = Field(
        default=20, ge=8, le=26, description="There are 2^bits inputs, of 32 bytes in the learner each."
    )
    alpha: float = Field(
        default=0.3, gt=0, description="Learning rate of an input that was never active; it falls with use."
    )
    beta: float = Field(default=1.0, gt=0, description="The larger, the later the learning rate falls.")
    l1: float = Field(default=0.1, ge=0, description="Keeps inputs that tell little at weight 0.")
    l2: float = Field(default=1.0, ge=0, description="Keeps weights small.")
    half_life_hours: float = Field(
        default=24.0,
        gt=0,
        description="Hours of the log after which what was learned counts half, so that it follows a change.",
    )
    correction: CorrectionSettings = Field(
        default_factory=CorrectionSettings, description="What follows a change sooner than by the half-life."
    )
    publish_s: float = Field(
        default=5.0, gt=0, description="Seconds between two versions where samples were learned from."
    )
    guard: GuardSettings = Field(
        default_factory=GuardSettings, description="When a version is not published."
    )
