"""Settings of rbm, shared by its offline and its online side."""

from __future__ import annotations

from pydantic import Field

from recall.channel import OptionalChannelSettings
from recall.evidence import EvidenceSettings


class RbmSettings(EvidenceSettings, OptionalChannelSettings):
    """Items by a restricted Boltzmann machine over the strongest behaviour with each."""

    max_items: int = Field(
        default=3_000,
        ge=2,
        le=50_000,
        description="Items that take part, those that most shoppers took; a request computes all.",
    )
    hidden: int = Field(default=64, ge=1, le=1_024, description="Hidden units.")
    items_per_user: int = Field(
        default=300, ge=2, le=10_000, description="Latest distinct items of a shopper that are trained on."
    )
    epochs: int = Field(default=20, ge=1, le=1_000, description="Times that every shopper is trained on.")
    batch_users: int = Field(default=50, ge=1, le=10_000, description="Shoppers of a step of training.")
    max_users: int = Field(default=20_000, ge=1, description="Shoppers that are trained on, drawn by seed.")
    learning_rate: float = Field(default=0.05, gt=0, le=10, description="Of contrastive divergence.")
    momentum: float = Field(default=0.8, ge=0, lt=1, description="Part of a step that the next one keeps.")
    decay: float = Field(default=1e-4, ge=0, le=1, description="Part of the weights lost with each step.")
