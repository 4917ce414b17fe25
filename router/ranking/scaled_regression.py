"""A logistic regression over scaled inputs, as it is written to a file."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class ScaledRegression(BaseModel):
    """p = σ(Σ weight · (input − mean) / scale + bias), each scaled input cut to ±8.

    Inputs are scaled by `router.ranking.logistic.weights.scaled`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, protected_namespaces=())

    mean: tuple[float, ...] = Field(description="Mean of each input.")
    scale: tuple[float, ...] = Field(description="Standard deviation of each input, above 0.")
    weights: tuple[float, ...] = Field(description="Weight of each scaled input.")
    bias: float = Field(description="Log-odds where all scaled inputs are 0.")

    @model_validator(mode="after")
    def _as_long(self) -> Self:
        if not len(self.mean) == len(self.scale) == len(self.weights):
            raise ValueError("mean, scale and weights must be of one length")
        if min(self.scale, default=1.0) <= 0:
            raise ValueError("a scale is not above 0")
        return self
