"""Settings of svd, shared by its offline and its online side."""

from __future__ import annotations

from pydantic import Field

from recall.channel import OptionalChannelSettings
from recall.evidence import EvidenceSettings


class SvdSettings(EvidenceSettings, OptionalChannelSettings):
    """Factors of items and shoppers by SVD or SVD++ of the behaviour scores."""

    step_scale: float = Field(
        default=20.0,
        gt=0,
        description="σ in an item's weight exp(−steps / σ): steps are the distinct moments at which the "
        "shopper did something after it last, so items of one receipt count alike.",
    )
    implicit_items: bool = Field(
        default=True, description="SVD++: what a shopper took counts by itself; false: SVD."
    )
    max_items: int = Field(
        default=20_000,
        ge=2,
        le=500_000,
        description="Items that take part, those that most shoppers took; a request compares them all.",
    )
    factors: int = Field(default=32, ge=2, le=512, description="Length of each item's factors.")
    items_per_user: int = Field(
        default=100, ge=2, le=1_000, description="Latest distinct items of a shopper that are trained on."
    )
    negatives: int = Field(default=4, ge=1, le=100, description="Items drawn for each that was taken.")
    epochs: int = Field(default=20, ge=1, le=1_000, description="Times that every shopper is trained on.")
    batch_users: int = Field(default=64, ge=1, le=10_000, description="Shoppers of a step of training.")
    learning_rate: float = Field(default=0.01, gt=0, le=1, description="Of Adam.")
    regularisation: float = Field(default=1e-4, ge=0, description="Weight decay of the factors.")
    fold_in: float = Field(
        default=1.0, gt=0, description="λ of the ridge regression that makes a shopper's factors."
    )
