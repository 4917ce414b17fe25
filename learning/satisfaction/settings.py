"""Settings of what shoppers are asked, and of what is made of their answers."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class AskSettings(BaseModel):
    """Whom to ask for a rating, and how often."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    enabled: bool = Field(default=True, description="Whether anyone is asked.")
    share: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="Share of shoppers who may be asked on a day, chosen anew each day (UTC).",
    )
    seed: str = Field(
        default="satisfaction",
        max_length=64,
        description="Of that choice; the same on all replicas. Another seed chooses other shoppers.",
    )
    quiet_days: float = Field(
        default=30.0,
        ge=1,
        le=3_650,
        description="Days after a question, or a rating, in which the shopper is not asked (again).",
    )
    per_minute: int = Field(
        default=60,
        ge=1,
        le=10_000,
        description="Shoppers that are asked within any minute at most, by all replicas together.",
    )


class AlertSettings(BaseModel):
    """When `shopfront satisfaction` says that satisfaction has dropped."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    days: float = Field(default=7.0, gt=0, le=365, description="Days looked at, up to now.")
    days_before: float = Field(
        default=28.0, gt=0, le=3_650, description="Days before them, with which they are compared."
    )
    level: float = Field(
        default=0.01,
        gt=0,
        lt=0.5,
        description="Probability, at most, that a look raises any false alarm; all its comparisons share it.",
    )
    least_ratings: int = Field(
        default=10, ge=1, description="Shoppers who must have rated in both periods for a comparison."
    )


class GuardSettings(BaseModel):
    """When an arm of an experiment is refused for the satisfaction of its shoppers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    most_drop: float = Field(
        default=0.02,
        ge=0,
        lt=1,
        description="Share of satisfied shoppers (0…1) by which an arm may be below the control.",
    )
    least_ratings: int = Field(
        default=30, ge=1, description="Shoppers who must have rated in an arm before anything is said of it."
    )


class SatisfactionSettings(BaseModel):
    """Section `satisfaction` of the router's configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ask: AskSettings = Field(default_factory=AskSettings, description="Whom to ask for a rating, and when.")
    alerts: AlertSettings = Field(
        default_factory=AlertSettings, description="When satisfaction counts as dropped."
    )
    guard: GuardSettings = Field(
        default_factory=GuardSettings, description="When an experiment's arm costs too much satisfaction."
    )
