"""Rule: only shoppers who are aware of the scene: who took something there before."""

from __future__ import annotations

from pydantic import Field

from evaluation.sample_rules.rule import SampleLog, SampleRule, SampleRuleSettings, Weighed
from snapshot.event_codes import IMPRESSION


class AwareShopperSettings(SampleRuleSettings):
    """Who counts as aware of a scene: what they ignore says something, what others never see does not."""

    scene: str = Field(
        default="home", min_length=1, max_length=200, description="As the log's column scene says."
    )
    takes: int = Field(
        default=1, ge=1, description="Takes in the scene before the end of the window, at least."
    )


def weigh(log: SampleLog, settings: AwareShopperSettings) -> Weighed:
    """1 of shoppers with enough takes in the scene, 0 of others."""
    import polars as pl

    if "scene" not in log.window.columns:
        return Weighed.silent(log, "the log has no column scene")
    there = (pl.col("scene") == settings.scene) & (pl.col("event") != IMPRESSION)
    takes = pl.concat([frame.filter(there).select("user") for frame in (log.past, log.window)])
    aware = takes.group_by("user").len().filter(pl.col("len") >= settings.takes)["user"]
    return Weighed(log.window["user"].is_in(aware.implode()).cast(pl.Float64))


RULE = SampleRule(AwareShopperSettings, weigh)
