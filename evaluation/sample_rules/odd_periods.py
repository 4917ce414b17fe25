"""Rule: what is taken in periods that the shop names (such as midnight of a promotion) is no sample."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from evaluation.sample_rules.rule import GeneralRuleSettings, SampleLog, SampleRule, Weighed


class Period(BaseModel):
    """A span of time with a name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=200, description="What happened.")
    begin: datetime = Field(description="First moment, ISO 8601 with its offset from UTC.")
    end: datetime = Field(description="First moment after it, likewise.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.begin.tzinfo is None or self.end.tzinfo is None:
            raise ValueError(f"{self.name}: begin and end need an offset from UTC, such as +01:00 or Z")
        if self.begin >= self.end:
            raise ValueError(f"{self.name}: begin must be before end")
        return self


class OddPeriodSettings(GeneralRuleSettings):
    """Periods in which shoppers take what they otherwise would not."""

    periods: tuple[Period, ...] = Field(default=(), max_length=1_000, description="The periods.")


def weigh(log: SampleLog, settings: OddPeriodSettings) -> Weighed:
    """0 within a period, 1 elsewhere."""
    import polars as pl

    if not settings.periods:
        return Weighed.silent(log, "the shop names no periods")
    ts = log.window["ts"]
    odd = pl.repeat(False, len(ts), dtype=pl.Boolean, eager=True)
    for period in settings.periods:
        odd |= (ts >= period.begin.timestamp()) & (ts < period.end.timestamp())
    return Weighed((~odd).cast(pl.Float64))


RULE = SampleRule(OddPeriodSettings, weigh)
