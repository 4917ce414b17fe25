"""The shape of the Behavior Sequence Transformer."""

from __future__ import annotations

from pydantic import Field, model_validator

from features.history import HISTORY_LENGTH
from models.settings import NetworkSettings


class BstNetworkSettings(NetworkSettings):
    """Shape of the Behavior Sequence Transformer (Chen et al. 2019, arXiv:1905.06874)."""

    mask_candidate: bool = Field(
        True,
        description="True: the history does not attend to the candidate, so its part is computed once per "
        "shopper. False: the paper's form, whose history must be computed again for every candidate.",
    )
    history_length: int = Field(
        HISTORY_LENGTH,
        ge=1,
        le=HISTORY_LENGTH,
        description="Newest behaviours the network reads of those it is sent; it is sent 50 in any case.",
    )
    dimension: int = Field(32, ge=4, description="Width of a token in the transformer, floats.")
    heads: int = Field(4, ge=1, description="Attention heads; divides `dimension`.")
    feed_forward: int = Field(128, ge=1, description="Width of the feed-forward layer, floats.")
    blocks: int = Field(1, ge=1, description="Transformer blocks.")
    candidate_blocks: int = Field(
        0,
        ge=0,
        description="Further blocks of the candidate alone, which attends to the history's outputs in each; "
        "only with `mask_candidate`.",
    )
    hidden: tuple[int, ...] = Field(
        (256, 64), min_length=1, description="Widths of the MLP's layers, floats."
    )
    side_dimension: int = Field(8, ge=1, description="Width of the embedding of a side feature, floats.")
    dropout: float = Field(0.1, ge=0, lt=1, description="Share of activations dropped in training.")
    min_item_users: int = Field(
        5,
        ge=0,
        description="Items taken by fewer shoppers before the validation cut have no embedding of their own.",
    )
    id_dropout: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="Share of item ids whose own embedding is replaced by the unknown item's in training, "
        "so that cold items are scored by their category, brand and shop.",
    )

    @model_validator(mode="after")
    def _heads_divide_dimension(self) -> BstNetworkSettings:
        if self.dimension % self.heads:
            raise ValueError(f"heads ({self.heads}) must divide dimension ({self.dimension})")
        return self

    @model_validator(mode="after")
    def _candidate_alone(self) -> BstNetworkSettings:
        if self.candidate_blocks and not self.mask_candidate:
            raise ValueError(
                f"candidate_blocks ({self.candidate_blocks}) belong to the masked form; set them to 0 or "
                "mask_candidate to true"
            )
        return self
