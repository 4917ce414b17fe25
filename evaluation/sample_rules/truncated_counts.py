"""Rule: a shopper who takes far more than others counts as much as one at a quantile of all, no more."""

from __future__ import annotations

from pydantic import Field

from evaluation.sample_rules.rule import GeneralRuleSettings, SampleLog, SampleRule, Weighed
from snapshot.event_codes import IMPRESSION


class TruncatedCountSettings(GeneralRuleSettings):
    """How much one shopper may count."""

    quantile: float = Field(
        default=0.99, gt=0, le=1, description="Of the shoppers' numbers of takes, the most that counts."
    )


def weigh(log: SampleLog, settings: TruncatedCountSettings) -> Weighed:
    """Quantile / takes of a shopper with more takes in the window than the quantile, 1 of others."""
    import polars as pl

    taken = pl.col("event") != IMPRESSION
    counted = log.window.select(taken.sum().over("user").alias("count"), "user")
    per_user = counted.unique("user")["count"]
    most = per_user.filter(per_user > 0).quantile(settings.quantile, "higher")
    if not most:
        return Weighed.silent(log, "nothing is taken in the window")
    count = counted["count"].cast(pl.Float64)
    return Weighed(pl.select(pl.min_horizontal(pl.lit(1.0), most / count.clip(1))).to_series())


RULE = SampleRule(TruncatedCountSettings, weigh)
