"""The experiments file: layers of experiments, each with arms that patch scenes."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from foundation.statistics.assignment import BUCKETS

STRICT = ConfigDict(extra="forbid", frozen=True, strict=True)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,23}")
MAX_LAYERS = 3
"""Names of a shopper's arms, one per layer, travel in each attribution token, which holds 512 bytes."""


class ArmSettings(BaseModel):
    """One side of an experiment."""

    model_config = STRICT

    share_bp: int = Field(
        ge=1, le=BUCKETS, description="Shoppers in the arm, basis points (hundredths of a per cent)."
    )
    patch: dict[str, Any] = Field(
        default={},
        description="Changes of the scene's configuration by JSON Merge Patch (RFC 7396); {} = as it is.",
    )


class ExperimentSettings(BaseModel):
    """One comparison of arms on concurrent groups of shoppers."""

    model_config = STRICT

    scenes: list[str] | None = Field(
        default=None, min_length=1, description="Scenes it takes place in; null = every scene."
    )
    first: int = Field(
        default=0,
        ge=0,
        lt=BUCKETS,
        description="The first of the layer's 10,000 buckets of shoppers; the arms take theirs from here on, "
        "in order. Written down, so that no other experiment's coming or going moves a shopper.",
    )
    paused: bool = Field(
        default=False,
        description="Nobody is in it for now: its shoppers get the scene as it is, and its buckets stay its "
        "own, so that each shopper comes back into the same arm.",
    )
    control: str | None = Field(
        default=None, description="The arm the others are compared with; null = the first."
    )
    arms: dict[str, ArmSettings] = Field(min_length=2, description="Arms by name, at least two.")

    @field_validator("arms")
    @classmethod
    def _arms_fit(cls, arms: dict[str, ArmSettings]) -> dict[str, ArmSettings]:
        for name in arms:
            _check_name("an arm", name)
        return arms

    @model_validator(mode="after")
    def _control_is_an_arm(self) -> ExperimentSettings:
        if self.control is not None and self.control not in self.arms:
            raise ValueError(f"control must be one of the arms {', '.join(self.arms)}, got {self.control}")
        if self.end > BUCKETS:
            raise ValueError(f"first and the arms' share_bp must sum to at most {BUCKETS}, got {self.end}")
        return self

    @property
    def end(self) -> int:
        """The bucket behind the last arm's."""
        return self.first + sum(arm.share_bp for arm in self.arms.values())

    @property
    def control_arm(self) -> str:
        """The arm the others are compared with."""
        return self.control or next(iter(self.arms))


class LayerSettings(BaseModel):
    """Experiments that share one division of the shoppers, so that no shopper is in two of them.

    Layers divide the shoppers independently of each other (Tang et al. 2010, Overlapping Experiment
    Infrastructure, KDD).
    """

    model_config = STRICT

    salt: str | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        description="Text that divides the shoppers; a new one divides them anew. null = the layer's name.",
    )
    experiments: dict[str, ExperimentSettings] = Field(description="Experiments by name.")


class ExperimentsFile(BaseModel):
    """The whole file."""

    model_config = STRICT

    layers: dict[str, LayerSettings] = Field(
        default={}, max_length=MAX_LAYERS, description="Layers by name, at most three."
    )

    @field_validator("layers")
    @classmethod
    def _names_fit(cls, layers: dict[str, LayerSettings]) -> dict[str, LayerSettings]:
        seen: dict[str, str] = {}
        for layer, settings in layers.items():
            _check_name("a layer", layer)
            for name in settings.experiments:
                _check_name("an experiment", name)
                if name in seen:
                    raise ValueError(
                        f"experiment {name} is in the layers {seen[name]} and {layer}; names must differ"
                    )
                seen[name] = layer
        return layers

    def experiment(self, name: str) -> ExperimentSettings | None:
        """The experiment of that name, None where there is none."""
        for layer in self.layers.values():
            if name in layer.experiments:
                return layer.experiments[name]
        return None


def _check_name(what: str, name: str) -> None:
    if not NAME.fullmatch(name):
        raise ValueError(
            f"{what}'s name is a letter or digit, then at most 23 letters, digits or _ . -, got {name!r}"
        )
