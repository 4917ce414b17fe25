"""Settings of ranki2i, shared by its offline and its online side."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from recall.channel import ChannelSettings
from recall.completion_settings import CompletionSettings


class Ranki2iSettings(CompletionSettings, ChannelSettings):
    """Item-to-item co-occurrence times the smoothed rate at which the target follows the trigger."""

    neighbours: int = Field(default=100, ge=1, le=10_000, description="Items kept per trigger.")
    items_per_user: int = Field(
        default=300,
        ge=2,
        le=10_000,
        description="Latest distinct items of a shopper that are paired with each other.",
    )
    time_scale_hours: float = Field(
        default=168.0,
        gt=0,
        description="Hours between two events at which a pair counts half: 1 / (1 + gap / scale).",
    )
    backward_weight: float = Field(
        default=0.7,
        ge=0,
        le=1,
        description="Weight of a pair whose target came before its trigger, against after.",
    )
    popularity_exponent: float = Field(
        default=0.3,
        ge=0,
        le=1,
        description="β in similarity = pair sum / (mass(trigger)·mass(target))^β; 0.5 = cosine.",
    )
    shortlist: int = Field(
        default=3,
        ge=1,
        le=100,
        description="Times `neighbours` items stay, by similarity, for the rate to choose among.",
    )
    same_category_boost: float = Field(
        default=0.5,
        ge=0,
        description="Added to 1 and multiplied in where trigger and target share the category.",
    )
    follow_window_hours: float = Field(
        default=168.0,
        gt=0,
        description="Hours after the trigger within which a target counts as following it.",
    )
    rate_exponent: float = Field(
        default=0.5,
        ge=0,
        le=2,
        description="Power of the smoothed follow (or click) rate in the score; 0 ignores it.",
    )
    rate_prior: float = Field(
        default=20.0, gt=0, description="Strength of the rate's prior, in trials (shoppers, or impressions)."
    )
    merge: Literal["sum", "max"] = Field(
        default="sum", description="How the scores one item gets from several triggers become one."
    )
    pairs_per_block: int = Field(
        default=4_000_000,
        ge=1_000,
        description="Event pairs held in memory at once while building (about 60 bytes each).",
    )
