"""Rule: orders that look placed to push an item: within hours, by many accounts that do nothing else."""

from __future__ import annotations

from pydantic import Field

from evaluation.sample_rules.rule import GeneralRuleSettings, SampleLog, SampleRule, Weighed
from snapshot.event_codes import IMPRESSION, PURCHASE

_HOUR_S = 3_600


class FakeOrderSettings(GeneralRuleSettings):
    """When purchases of an item are taken for fake ones."""

    hours: float = Field(default=24.0, gt=0, le=24 * 366, description="Length of a burst, hours.")
    accounts: int = Field(default=5, ge=2, description="Shoppers of a burst at least.")
    share: float = Field(
        default=0.8,
        gt=0,
        le=1,
        description="Part of them, at least, who never did anything with another item.",
    )


def weigh(log: SampleLog, settings: FakeOrderSettings) -> Weighed:
    """0 of the purchases of a burst by shoppers who know its item alone, 1 of all else.

    Bursts lie between fixed moments `hours` apart; one that is cut by such a moment may be found too small.
    """
    import polars as pl

    everything = pl.concat(
        [frame.select("user", "item", "event") for frame in (log.past, log.window)], how="vertical_relaxed"
    ).filter(pl.col("event") != IMPRESSION)
    single = everything.group_by("user").agg((pl.col("item").n_unique() == 1).alias("single"))
    rows = (
        log.window.select("user", "item", "event", "ts")
        .with_row_index("row")
        .filter(pl.col("event") == PURCHASE)
        .join(single, on="user", how="left")
        .with_columns((pl.col("ts") // int(settings.hours * _HOUR_S)).alias("burst"))
    )
    buyers = (
        rows.unique(["item", "burst", "user"])
        .group_by("item", "burst")
        .agg(pl.len().alias("accounts"), pl.col("single").mean().alias("share"))
        .filter((pl.col("accounts") >= settings.accounts) & (pl.col("share") >= settings.share))
    )
    fake = rows.join(buyers, on=["item", "burst"], how="semi").filter("single")["row"]
    kept = pl.repeat(1.0, log.window.height, dtype=pl.Float64, eager=True)
    return Weighed(kept.scatter(fake, 0.0))


RULE = SampleRule(FakeOrderSettings, weigh)
