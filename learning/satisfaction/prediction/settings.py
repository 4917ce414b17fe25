"""Settings of the model that predicts satisfaction."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class PredictionSettings(BaseModel):
    """A model of ratings by item, category and shop."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    enabled: bool = Field(default=True, description="Whether the learner fits it.")
    least_ratings: int = Field(
        default=200,
        ge=50,
        description="Ratings of items, the latest of each shopper and item, below which there is no model.",
    )
    most_ratings: int = Field(
        default=100_000,
        ge=1_000,
        description="Latest ratings that are kept and learned from, about 100 bytes each.",
    )
    every_s: float = Field(
        default=60.0, gt=0, description="Seconds between two models where there are new ratings."
    )
    held_out: float = Field(
        default=0.2,
        gt=0,
        lt=0.5,
        description="Share of the latest ratings by which the model is chosen: one that predicts them no "
        "better than their mean is not published.",
    )
