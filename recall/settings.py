"""Settings of the recall channels, one model per channel."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ChannelSettings(BaseModel):
    """What every channel can be told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = Field(
        default=True, description="Build the channel's tables and open it; false leaves it out."
    )


class Ranki2iSettings(ChannelSettings):
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
    complete_below: int = Field(
        default=50,
        ge=0,
        description="A trigger with fewer neighbours is completed from its category; 0 = never.",
    )
    category_items: int = Field(
        default=100, ge=1, le=10_000, description="Items kept per category for completion."
    )
    category_weight: float = Field(
        default=0.1,
        gt=0,
        description="Best completed item's score against the median of the best real neighbours'.",
    )
    related_categories: int = Field(
        default=5,
        ge=0,
        description="Categories most often shared with a category that also lend items to it.",
    )
    merge: Literal["sum", "max"] = Field(
        default="sum", description="How the scores one item gets from several triggers become one."
    )
    pairs_per_block: int = Field(
        default=4_000_000,
        ge=1_000,
        description="Event pairs held in memory at once while building (about 60 bytes each).",
    )


class MindSettings(ChannelSettings):
    """Nearest items to each of the shopper's interests."""

    index: Literal["auto", "flat", "hnsw", "ivf"] = Field(
        default="auto", description="auto: flat below `flat_below` items, ivf from there on."
    )
    flat_below: int = Field(default=20_000, ge=0, description="Items below which every vector is compared.")
    hnsw_links: int = Field(default=32, ge=4, le=128, description="Links per node (M).")
    hnsw_build_width: int = Field(default=200, ge=8, description="Candidates held while a node is linked.")
    hnsw_search_width: int = Field(
        default=256, ge=8, description="Candidates held while searching; at least k is used."
    )
    ivf_probes: int = Field(default=32, ge=1, description="Cells visited per interest.")
    threads: int = Field(
        default=1, ge=1, description="Threads of one search; requests already run side by side."
    )


class HotSettings(ChannelSettings):
    """Hottest items of the shopper's crowd, then of coarser crowds, then of all."""

    half_life_days: float = Field(default=30.0, gt=0, description="Days after which a behaviour counts half.")
    items_per_crowd: int = Field(
        default=500, ge=1, description="Items kept per crowd; the list of all is complete."
    )
    minimum_users: int = Field(
        default=50, ge=1, description="Shoppers a crowd needs to have a list of its own."
    )
    minimum_item_users: int = Field(
        default=3,
        ge=1,
        description="Distinct shoppers of the crowd an item needs to stand in the crowd's list.",
    )
    shrinkage: float = Field(
        default=50.0, ge=0, description="Shoppers' worth of everybody's taste mixed into a crowd's own."
    )


class CategoryHotSettings(ChannelSettings):
    """Hottest items of the categories the shopper was in lately."""

    half_life_days: float = Field(default=30.0, gt=0, description="Days after which a behaviour counts half.")
    items_per_category: int = Field(default=200, ge=1, le=10_000, description="Items kept per category.")
    categories: int = Field(
        default=50, ge=1, description="The shopper's strongest categories that are asked."
    )
    popularity_exponent: float = Field(
        default=1.0, ge=0, le=2, description="Power of an item's heat in the whole shop; 0 ignores it."
    )


class AgainSettings(ChannelSettings):
    """The shopper's own past items, by recency, frequency and how often people come back to them."""

    time_scale_hours: float = Field(
        default=168.0, gt=0, description="τ in a past behaviour's weight (1 + age / τ)^−δ, hours."
    )
    age_exponent: float = Field(
        default=0.7, ge=0, le=5, description="δ in a past behaviour's weight (1 + age / τ)^−δ."
    )
    rate_prior: float = Field(
        default=10.0,
        gt=0,
        description="Shoppers' worth of the category's repeat rate mixed into an item's own.",
    )
    rate_exponent: float = Field(
        default=1.0, ge=0, le=2, description="Power of the repeat rate in the score."
    )


class TriggerSettings(BaseModel):
    """Which items of a history cause recall, and how strongly."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: int = Field(default=100, ge=1, le=200, description="Distinct items at most.")
    time_scale_hours: float = Field(
        default=720.0, gt=0, description="Age in hours at which an item counts half: 1 / (1 + age / scale)."
    )


class RecallSettings(BaseModel):
    """Every channel's settings, by the channel's name, and the choice of triggers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ranki2i: Ranki2iSettings = Ranki2iSettings()
    mind: MindSettings = MindSettings()
    hot: HotSettings = HotSettings()
    category_hot: CategoryHotSettings = CategoryHotSettings()
    again: AgainSettings = AgainSettings()
    triggers: TriggerSettings = TriggerSettings()
