"""What was fitted of the scenes that are about one item, on the validation range."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from router.ranking.calibration import AS_IT_IS, Calibration
from router.ranking.fitted_file import FittedFile
from router.ranking.scaled_regression import ScaledRegression

FILE = "anchor_ranker.json"


class Regression(ScaledRegression):
    """That of one kind of shoppers."""

    calibration: Calibration = Field(
        default=AS_IT_IS, description="Of the log-odds, what makes them those of next items."
    )
    popularity_weight: float = Field(
        default=0.4, ge=0, description="With which the pages about different items differ enough."
    )
    pages: int = Field(ge=1, description="Pages whose candidates it was fitted on.")
    taken: int = Field(ge=1, description="Of these candidates, those taken next in the basket.")


class SceneRegressions(BaseModel):
    """Those of one scene: for shoppers of whom something is known, and for the others."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    channels: tuple[str, ...] = Field(description="Channels whose ranks are inputs.")
    inputs: tuple[str, ...] = Field(description="Names of the inputs, in their order.")
    known: Regression
    anonymous: Regression

    @model_validator(mode="after")
    def _weights_fit_the_inputs(self) -> SceneRegressions:
        for each in (self.known, self.anonymous):
            if len(each.weights) != len(self.inputs):
                raise ValueError(f"{len(each.weights)} weights for {len(self.inputs)} inputs")
        return self


class FittedAnchorRankers(FittedFile):
    """By scene; one that is not there could not be fitted."""

    file_name: ClassVar[str] = FILE

    schema_version: Literal[1] = 1
    scenes: dict[str, SceneRegressions] = Field(default={}, description="Scene → its regressions.")
    off: dict[str, str] = Field(default={}, description="Scene → why it could not be fitted.")
