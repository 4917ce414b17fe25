"""What was fitted of the objectives of each scene, on the validation range."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from router.ranking.fitted_file import FittedFile
from router.ranking.scaled_regression import ScaledRegression

FILE = "objectives.json"
CLICK, PURCHASE_GIVEN_CLICK, PRICE = "click", "purchase_given_click", "price"

_STRICT = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, protected_namespaces=())


class FittedClick(BaseModel):
    """p(click) = σ(slope · log-odds of the scene's own score + offset), as Platt (1999) scales a margin."""

    model_config = _STRICT

    slope: float = Field(default=1.0, gt=0, description="Times the log-odds; above 0, so that order stays.")
    offset: float = Field(default=0.0, description="Added to them.")
    per: Literal["impression", "take"] = Field(
        default="take",
        description="impression: of what was shown, the part that was taken. take: of all candidates, the "
        "part that was taken, in a log without impressions.",
    )
    rows: int = Field(default=0, ge=0, description="Candidates it was fitted on.")
    clicked: int = Field(default=0, ge=0, description="Of these, those clicked.")
    off: str = Field(default="", description="Why it could not be fitted; empty: it was.")


class FittedPurchase(ScaledRegression):
    """p(purchase | click) by the scaled inputs; the observed rate where it is off."""

    mean: tuple[float, ...] = Field(default=(), description="Mean of each input; empty where it is off.")
    scale: tuple[float, ...] = Field(default=(), description="Standard deviation of each input, above 0.")
    weights: tuple[float, ...] = Field(default=(), description="Weight of each scaled input.")
    bias: float = Field(default=0.0, description="Log-odds where all scaled inputs are 0.")
    rate: float = Field(default=1.0, ge=0, le=1, description="Part of the clicked that was bought.")
    rows: int = Field(default=0, ge=0, description="Clicked candidates it was fitted on.")
    off: str = Field(default="", description="Why it could not be fitted; empty: it was.")


class SceneObjectives(BaseModel):
    """The objectives of one scene."""

    model_config = _STRICT

    channels: tuple[str, ...] = Field(default=(), description="Channels whose ranks are inputs.")
    inputs: tuple[str, ...] = Field(default=(), description="Names of the inputs, in their order.")
    click: FittedClick = FittedClick()
    purchase_given_click: FittedPurchase = FittedPurchase()

    @model_validator(mode="after")
    def _weights_fit_the_inputs(self) -> SceneObjectives:
        count = len(self.purchase_given_click.weights)
        if count and count != len(self.inputs):
            raise ValueError(f"{count} weights for {len(self.inputs)} inputs")
        return self


class FittedObjectives(FittedFile):
    """By scene; one that is not there was not fitted."""

    file_name: ClassVar[str] = FILE

    schema_version: Literal[1] = 1
    scenes: dict[str, SceneObjectives] = Field(default={}, description="Scene → its objectives.")
    price_off: str = Field(default="", description="Why no item has a price; empty: some do.")

    def switched_off(self) -> Iterator[tuple[str, str, str]]:
        """(scene, objective, why) of each objective that could not be fitted."""
        for scene, fitted in self.scenes.items():
            for name, part in (
                (CLICK, fitted.click.off),
                (PURCHASE_GIVEN_CLICK, fitted.purchase_given_click.off),
                (PRICE, self.price_off),
            ):
                if part:
                    yield scene, name, part
