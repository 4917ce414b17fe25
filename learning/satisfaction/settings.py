"""Settings of what shoppers are asked."""

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
        default=60, ge=1, description="Shoppers that one replica asks within a minute at most."
    )


class SatisfactionSettings(BaseModel):
    """Section `satisfaction` of the router's configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ask: AskSettings = Field(default_factory=AskSettings, description="Whom to ask for a rating, and when.")
