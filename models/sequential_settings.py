"""The shape of the sequential network, and how sequences teach it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator

from models.settings import NetworkSettings


class SequentialNetworkSettings(NetworkSettings):
    """Shape of SASRec (Kang and McAuley 2018, arXiv:1808.09781)."""

    dimension: int = Field(64, ge=4, description="Width of tokens, and of item and shopper vectors, floats.")
    heads: int = Field(2, ge=1, description="Heads of attention; a divisor of `dimension`.")
    blocks: int = Field(2, ge=1, le=8, description="Blocks of attention, one after another.")
    feed_forward: int = Field(128, ge=4, description="Width inside a block's feed-forward layer, floats.")
    dropout: float = Field(0.2, ge=0, lt=1, description="Share of numbers left out in training.")
    min_item_users: int = Field(
        1,
        ge=0,
        description="Items taken by fewer shoppers before the validation cut have no embedding of their own.",
    )
    id_dropout: float = Field(
        0.1, ge=0, lt=1, description="Share of item ids replaced by the unknown item's in training."
    )
    full_softmax_items: int = Field(
        50_000,
        ge=0,
        description="Items up to which the loss is a softmax of the whole catalogue; of more, of drawn ones.",
    )
    shared_negatives: int = Field(
        2048, ge=1, description="Negatives drawn for one batch and shared by its targets, items."
    )
    negative_power: float = Field(
        0.75, ge=0, description="Negatives are drawn ∝ (frequency + smoothing)^power."
    )
    negative_smoothing: float = Field(
        1.0, gt=0, description="Added to each item's frequency, so that items without events are drawn too."
    )

    @model_validator(mode="after")
    def _heads_divide(self) -> SequentialNetworkSettings:
        if self.dimension % self.heads:
            raise ValueError(f"dimension ({self.dimension}) must be a multiple of heads ({self.heads})")
        return self


class SequenceSettings(BaseModel):
    """Which places of a sequence are learned from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    within_moment: float = Field(
        1.0,
        ge=0,
        le=1,
        description="Share of the places learned from whose next item was taken at the same time, as items "
        "of a basket are.",
    )
    max_targets: int = Field(
        1024, ge=1, description="Places learned from in one step at most; of more, so many are drawn."
    )
