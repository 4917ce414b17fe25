"""The shape of the two-tower model, and how it learns from its teacher."""

from __future__ import annotations

from pydantic import Field

from models.settings import NetworkSettings


class TwoTowerNetworkSettings(NetworkSettings):
    """Shape of the two-tower model of prerank, and how it learns from BST."""

    dimension: int = Field(48, ge=4, description="Width of shopper and item vectors, floats.")
    token_dimension: int = Field(32, ge=4, description="Width of a behaviour in the history, floats.")
    side_dimension: int = Field(8, ge=1, description="Width of the embedding of a side feature, floats.")
    interests: int = Field(4, ge=1, description="Attention heads that pool the history.")
    hidden: int = Field(128, ge=1, description="Width of the hidden layer of either tower, floats.")
    dropout: float = Field(0.05, ge=0, lt=1, description="Share of activations dropped in training.")
    min_item_users: int = Field(
        5,
        ge=0,
        description="Items taken by fewer shoppers before the validation cut have no embedding of their own.",
    )
    id_dropout: float = Field(
        0.1, ge=0, lt=1, description="Share of item ids replaced by the unknown item's in training."
    )
    temperature: float = Field(
        2.0,
        gt=0,
        description="BST's logits are divided by this before the softmax that is learned; larger minds the "
        "order further down the list.",
    )
    label_weight: float = Field(
        0.1, ge=0, le=1, description="Weight of what shoppers took; the rest is the weight of BST's order."
    )
