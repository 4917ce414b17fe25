"""What the logistic ranker learned: how its inputs are scaled, and what each counts."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from router.ranking.calibration import AS_IT_IS, Calibration
from router.ranking.fitted_file import FittedFile
from router.ranking.logistic.networks import NetworkPart

FILE = "weights.json"
FURTHEST = 8.0
"""Scaled inputs are cut to ±this, so that a value never seen in training cannot outweigh all others."""
_DEFAULT_RANK_WEIGHT = 1.0
LARGEST_SHIFT = 3.0
"""Log-odds by which another scene's scores may be moved at most: twenty times the odds."""


class SceneShift(BaseModel):
    """What a scene adds to its calibrated log-odds: its candidates are others than those calibrated on."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    alone: float = Field(
        default=0.0, ge=-LARGEST_SHIFT, le=LARGEST_SHIFT, description="To those without a model."
    )
    beside: float = Field(
        default=0.0, ge=-LARGEST_SHIFT, le=LARGEST_SHIFT, description="To those beside a model."
    )
    taken: int = Field(
        default=0, ge=0, description="Candidates of the scene that were taken, of which it was found."
    )


NO_SHIFT = SceneShift()


class NewcomerPart(BaseModel):
    """What is added to the weights for shoppers of whom little is known, in proportion to `newness`.

    What many take and this shopper never took tells of a shopper with a long history that it is not wanted,
    and of a newcomer that it is: one weight cannot be right for both.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, protected_namespaces=())

    events: float = Field(default=0.0, ge=0, description="Behaviours with which half of it counts; 0: none.")
    alone: tuple[float, ...] = Field(default=(), description="Of each scaled input, without a model.")
    alone_bias: float = Field(default=0.0, description="Log-odds, without a model.")
    with_model: tuple[float, ...] = Field(default=(), description="Of each scaled input, beside a model.")
    with_model_bias: float = Field(default=0.0, description="Log-odds, beside a model.")
    model_weight: float = Field(default=0.0, description="Of the log-odds of the model's score.")


class Weights(FittedFile):
    """Two regressions over the same inputs: one by itself, one beside the log-odds of a model's score.

    An input x enters as (x − mean) / scale, cut to ±8. Networks over the same inputs add to both.
    """

    file_name: ClassVar[str] = FILE

    schema_version: Literal[1] = 1
    channels: tuple[str, ...] = Field(description="Channels whose ranks are inputs.")
    inputs: tuple[str, ...] = Field(description="Names of the inputs, in their order.")
    mean: tuple[float, ...] = Field(description="Mean of each input.")
    scale: tuple[float, ...] = Field(description="Standard deviation of each input, above 0.")
    alone: tuple[float, ...] = Field(description="Weight of each scaled input without a model.")
    alone_bias: float = Field(description="Log-odds where all scaled inputs are 0, without a model.")
    with_model: tuple[float, ...] = Field(description="Weight of each scaled input beside a model.")
    with_model_bias: float = Field(description="Log-odds where all are 0, the model's among them.")
    model_weight: float = Field(description="Weight of the log-odds of the model's score.")
    newcomer: NewcomerPart = Field(
        default=NewcomerPart(), description="What is added for shoppers of whom little is known."
    )
    networks: NetworkPart = Field(
        default=NetworkPart(), description="What is added to both, of the scaled inputs."
    )
    alone_calibration: Calibration = Field(
        default=AS_IT_IS, description="Of the log-odds without a model, what makes them those of takes."
    )
    calibration: Calibration = Field(default=AS_IT_IS, description="Likewise beside a model.")
    scene_shifts: dict[str, SceneShift] = Field(
        default={}, description="Scene → what moves its scores; one that is not there has them as calibrated."
    )
    model: str = Field(default="", description="The model beside which they were fitted.")
    shoppers: int = Field(default=0, ge=0, description="Shoppers they were fitted on; 0: default weights.")
    candidates: int = Field(default=0, ge=0, description="Candidates of these shoppers.")
    taken: int = Field(default=0, ge=0, description="Candidates that were taken.")
    window_days: float = Field(default=0.0, ge=0, description="Days within which they could be taken.")

    @model_validator(mode="after")
    def _as_long(self) -> Weights:
        for name in ("mean", "scale", "alone", "with_model"):
            if len(getattr(self, name)) != len(self.inputs):
                raise ValueError(
                    f"{name} has {len(getattr(self, name))} values for {len(self.inputs)} inputs"
                )
        for name in ("alone", "with_model"):
            if self.newcomer.events and len(getattr(self.newcomer, name)) != len(self.inputs):
                raise ValueError(f"newcomer.{name} has other than {len(self.inputs)} values")
        if self.networks.width not in (None, len(self.inputs)):
            raise ValueError(f"networks read {self.networks.width} of {len(self.inputs)} inputs")
        if min(self.scale, default=1.0) <= 0:
            raise ValueError("a scale is not above 0")
        return self


def default_weights(channels: tuple[str, ...], inputs: tuple[str, ...]) -> Weights:
    """Those of a shop whose log is too small to fit any: recall order, and the model's score as it is."""
    ranked = tuple(_DEFAULT_RANK_WEIGHT * name.endswith(".log") for name in inputs)
    count = len(inputs)
    return Weights(
        channels=channels,
        inputs=inputs,
        mean=(0.0,) * count,
        scale=(1.0,) * count,
        alone=ranked,
        alone_bias=-3.0,
        with_model=ranked,
        with_model_bias=0.0,
        model_weight=1.0,
    )


def scaled(
    inputs: NDArray[np.float32], mean: NDArray[np.float32], scale: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(x − mean) / scale, cut to ±8; float32[n, F], a new array."""
    result = (inputs - mean) / scale
    return np.clip(result, -FURTHEST, FURTHEST, out=result)


def newness(count: NDArray[np.floating], events: float) -> NDArray[np.float32]:
    """float32[n] in 0…1: 1 without a behaviour, ½ after `events` of them; 0 where `events` is 0.

    count: float[n], behaviours of the shopper by their logarithm, as the input `shopper.count`.
    """
    if not events:
        return np.zeros(len(count), np.float32)
    return np.asarray(events / (events + np.expm1(np.maximum(count, 0))), np.float32)
