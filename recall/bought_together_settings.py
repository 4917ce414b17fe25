"""Settings of bought_together, shared by its offline and its online side."""

from __future__ import annotations

from pydantic import Field

from recall.basket_settings import BasketSettings
from recall.channel import ChannelSettings
from recall.completion_settings import CompletionSettings


class BoughtTogetherSettings(BasketSettings, CompletionSettings, ChannelSettings):
    """Items in the same baskets, less what is in every basket."""

    neighbours: int = Field(default=200, ge=1, le=10_000, description="Items kept per trigger.")
    popularity_exponent: float = Field(
        default=0.3,
        ge=0,
        le=1,
        description="α in score = shared baskets / (baskets of the target + 10)^α; 0 lets bestsellers lead "
        "every list, 0.5 is the order of a cosine.",
    )
    same_category_boost: float = Field(
        default=1.0,
        ge=0,
        description="Added to 1 and multiplied in where trigger and target share the category.",
    )
    complete_below: int = Field(
        default=200,
        ge=0,
        description="A trigger with fewer neighbours is completed by what its category goes with; 0 = never.",
    )
    complete_seldom: int = Field(
        default=60,
        ge=0,
        description="So is one that fewer shoppers took, however many neighbours it has: a few large baskets "
        "are full of chance. 0 = by the neighbours alone.",
    )
    category_items: int = Field(default=200, ge=1, le=10_000, description="Items kept per category for that.")
    category_baskets: float = Field(
        default=200.0,
        ge=0,
        le=1e6,
        description="What one basket of an item of the trigger's category shares counts as so many baskets "
        "of the trigger; 0: only the best sold of the category complete them.",
    )
