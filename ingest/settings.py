"""Settings of ingest: how raw logs become a data set."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from features.behaviour_score_settings import BehaviourScoreSettings


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BotClickerSettings(_Section):
    """Users who click faster than people can; all their events are removed."""

    enabled: bool = Field(default=True, description="Whether the rule runs.")
    max_clicks_per_minute: int = Field(
        default=120,
        ge=1,
        description="Views, favourites and carts a person may make in any 60 seconds, events.",
    )
    max_clicks_per_day: int = Field(
        default=5_000,
        ge=1,
        description="Views, favourites and carts a person may make in any 24 hours, events.",
    )


class InstantMisclickSettings(_Section):
    """Views left at once for another item and never returned to."""

    enabled: bool = Field(default=True, description="Whether the rule runs.")
    max_dwell_ms: int = Field(
        default=1_000,
        ge=1,
        description="A view left within this time was a slip of the finger, milliseconds.",
    )


class ViewAfterPurchaseSettings(_Section):
    """Views of an item by a user who has just bought it (order pages, not interest)."""

    enabled: bool = Field(default=True, description="Whether the rule runs.")
    window_seconds: int = Field(
        default=3_600, ge=1, description="How long after buying an item a view of it does not count, seconds."
    )


class RepeatedCartSettings(_Section):
    """Adding the same item to cart or favourites again and again."""

    enabled: bool = Field(default=True, description="Whether the rule runs.")
    window_seconds: int = Field(
        default=600, ge=1, description="A repeat within this time of the previous one is removed, seconds."
    )


class HyperactiveUserSettings(_Section):
    """Users with so many events that they would dominate every statistic; they are downsampled."""

    enabled: bool = Field(default=True, description="Whether the rule runs.")
    max_events: int = Field(
        default=10_000, ge=1, description="Events kept per user, purchases first, events."
    )
    keep: Literal["sample", "recent"] = Field(
        default="sample",
        description="Which of the events beyond purchases stay: 'sample' a seeded even sample over the "
        "user's time, 'recent' the newest.",
    )


class CleaningSettings(_Section):
    """Cleaning rules, run in this order."""

    bot_clickers: BotClickerSettings = BotClickerSettings()
    instant_misclicks: InstantMisclickSettings = InstantMisclickSettings()
    views_after_purchase: ViewAfterPurchaseSettings = ViewAfterPurchaseSettings()
    repeated_carts: RepeatedCartSettings = RepeatedCartSettings()
    hyperactive_users: HyperactiveUserSettings = HyperactiveUserSettings()


class CutSettings(_Section):
    """Where training, validation and test part in time."""

    valid_quantile: float = Field(
        default=0.90, gt=0, lt=1, description="Share of events before the validation period, 0…1."
    )
    test_quantile: float = Field(
        default=0.95, gt=0, lt=1, description="Share of events before the test period, 0…1."
    )

    @model_validator(mode="after")
    def _ordered(self) -> CutSettings:
        if self.valid_quantile > self.test_quantile:
            raise ValueError(
                f"valid_quantile ({self.valid_quantile}) must not exceed test_quantile ({self.test_quantile})"
            )
        return self


class IngestSettings(_Section):
    """Everything ingest can be told."""

    cleaning: CleaningSettings = CleaningSettings()
    cuts: CutSettings = CutSettings()
    behaviour_scores: BehaviourScoreSettings = BehaviourScoreSettings()
    keep_items_without_events: bool = Field(
        default=True, description="Whether items of the items file that nobody touched enter the catalogue."
    )
    unknown_stock_sells: bool = Field(
        default=False,
        description="Whether an item whose stock is empty or unreadable is offered, where others have one.",
    )
