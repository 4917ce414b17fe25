"""Settings of the tagger of titles."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class TitleTaggerSettings(BaseModel):
    """A tagger that learns selling points from the titles that a shop tagged."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    form: Literal["dictionary", "window", "title"] = Field(
        default="window",
        description="dictionary: points as tagged, longest first; window: a conditional random field over "
        "what is around each piece; title: the same with an LSTM over the whole title.",
    )
    least: int = Field(
        default=2,
        ge=1,
        description="Pieces of the tagged titles that have a value at least, to be learned of.",
    )
    certainty: float = Field(
        default=0.3,
        ge=0,
        le=1,
        description="Part of its occurrences that are tagged at least, for a text to be in the dictionary.",
    )
    width: int = Field(default=64, ge=4, le=512, description="Dimensions of a value's vector.")
    hidden: int = Field(default=96, ge=4, le=1_024, description="Cells of the LSTM in each direction.")
    dropout: float = Field(default=0.4, ge=0, lt=1, description="Part of the vectors left out in training.")
    epochs: int = Field(default=5, ge=1, le=200, description="Passes over the tagged titles.")
    batch: int = Field(default=32, ge=1, le=4_096, description="Titles of a step.")
    learning_rate: float = Field(
        default=0.02, gt=0, le=1, description="Of AdamW for the weights of values; falls to 0 by the end."
    )
    title_learning_rate: float = Field(
        default=0.003, gt=0, le=1, description="The same for the LSTM and its vectors."
    )
    weight_decay: float = Field(
        default=0.02, ge=0, description="Of the weights of values, as a part of the learning rate per step."
    )
    held_out: float = Field(
        default=0.1,
        gt=0,
        lt=1,
        description="Part of the tagged titles, drawn by seed, that the tagger is measured on, where the "
        "file does not say which.",
    )
