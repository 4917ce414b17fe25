"""Rule: users who click far beyond human rates are programs; nothing they did says what people want."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from ingest.cleaning.evidence import Evidence
from ingest.cleaning.rule import CleaningRule, RuleSettings
from snapshot.event_codes import CONSIDERATION_CODES

if TYPE_CHECKING:
    import polars as pl

_MINUTE_MS = 60_000
_DAY_MS = 86_400_000


class BotClickerSettings(RuleSettings):
    """Users who click faster than people can; all their events are removed."""

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


def keep_bot_clickers_out(
    events: pl.DataFrame, settings: BotClickerSettings, evidence: Evidence
) -> pl.Series:
    """Remove every event of users with more clicks than people make in some minute or in some day.

    Clicks are interest short of a purchase: views, favourites and carts. Purchases do not count, since one
    basket is many purchases at one moment; neither do impressions, which the shop makes. Windows slide: a
    user is a bot when limit + 1 consecutive clicks certainly lie within the window.

    Args:
        events: user int32, event uint8, ts_ms int64, sorted by user and time.
        settings: the rule's limits.
        evidence: the resolution of the log's times, and the seed.

    Returns:
        bool[e], True for the events to keep.
    """
    import polars as pl

    clicks = events.lazy().filter(pl.col("event").is_in(CONSIDERATION_CODES)).select("user", "ts_ms")
    limits = ((settings.max_clicks_per_minute, _MINUTE_MS), (settings.max_clicks_per_day, _DAY_MS))
    too_fast = [
        (pl.col("user") == pl.col("user").shift(limit))
        & (pl.col("ts_ms") - pl.col("ts_ms").shift(limit) + evidence.resolution_ms <= window_ms)
        for limit, window_ms in limits
    ]
    bots = clicks.filter(pl.any_horizontal(too_fast)).select(pl.col("user").unique()).collect()["user"]
    return ~events["user"].is_in(bots.implode())


RULE = CleaningRule(BotClickerSettings, keep_bot_clickers_out)
