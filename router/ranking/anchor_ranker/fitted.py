"""What was fitted of the scenes that are about one item, on the validation range."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from snapshot.durable_files import write_durably
from snapshot.manifest import SnapshotError

FILE = "anchor_ranker.json"

_STRICT = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Regression(BaseModel):
    """p = σ(Σ weight · (input − mean) / scale + bias), each scaled input cut to ±8."""

    model_config = _STRICT

    mean: tuple[float, ...] = Field(description="Mean of each input.")
    scale: tuple[float, ...] = Field(description="Standard deviation of each input, above 0.")
    weights: tuple[float, ...] = Field(description="Weight of each scaled input.")
    bias: float = Field(description="Log-odds where all scaled inputs are 0.")
    pages: int = Field(ge=1, description="Pages whose candidates it was fitted on.")
    taken: int = Field(ge=1, description="Of these candidates, those taken next in the basket.")

    @model_validator(mode="after")
    def _as_long(self) -> Regression:
        if not len(self.mean) == len(self.scale) == len(self.weights):
            raise ValueError("mean, scale and weights must be of one length")
        if min(self.scale, default=1.0) <= 0:
            raise ValueError("a scale is not above 0")
        return self


class SceneRegressions(BaseModel):
    """Those of one scene: for shoppers of whom something is known, and for the others."""

    model_config = _STRICT

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


class FittedAnchorRankers(BaseModel):
    """By scene; one that is not there could not be fitted."""

    model_config = _STRICT

    schema_version: Literal[1] = 1
    scenes: dict[str, SceneRegressions] = Field(default={}, description="Scene → its regressions.")
    off: dict[str, str] = Field(default={}, description="Scene → why it could not be fitted.")

    def write(self, folder: Path) -> None:
        """`anchor_ranker.json` in the folder, which must exist; whole or not at all."""
        write_durably(folder / FILE, (self.model_dump_json(indent=1) + "\n").encode())

    @classmethod
    def read(cls, folder: Path) -> FittedAnchorRankers:
        """Those of the folder; raises SnapshotError where the file is missing or not valid."""
        try:
            return cls.model_validate(json.loads((folder / FILE).read_bytes()))
        except (OSError, ValueError, ValidationError) as error:
            raise SnapshotError(
                folder, FILE, f"cannot be read ({error})", "build the folder again"
            ) from error
