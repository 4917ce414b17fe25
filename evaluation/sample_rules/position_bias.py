"""Rule: what was taken far down a page counts more, since fewer look there: inverse propensity weights.

Joachims, Swaminathan and Schnabel, "Unbiased Learning-to-Rank with Biased Feedback", WSDM 2017. The
propensity of a position is the part of what was shown there that was taken, over that of the first position.
It is learned of the log alone, and serving knows of no position. Where the best comes first, a part of
what is taken for the position's doing is the order's: `most` bounds the harm.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from evaluation.sample_rules.rule import GeneralRuleSettings, SampleLog, SampleRule, Weighed
from snapshot.event_codes import IMPRESSION

_PRIOR = 20.0
_LAST = 1_000
"""Positions beyond count as this one."""


class PositionBiasSettings(GeneralRuleSettings):
    """How positions weigh."""

    minutes: float = Field(
        default=30.0, gt=0, le=1_440, description="A take this long after an impression comes of it, minutes."
    )
    most: float = Field(default=5.0, ge=1, le=100, description="Largest weight.")


def weigh(log: SampleLog, settings: PositionBiasSettings) -> Weighed:
    """1 / propensity of the position at which the item was last shown; 1 where it was not shown."""
    import polars as pl

    if "position" not in log.window.columns:
        return Weighed.silent(log, "the log has no column position")
    rows = log.window.with_row_index("row").sort("ts", "row")
    shown = rows.filter((pl.col("event") == IMPRESSION) & pl.col("position").is_not_null())
    if not shown.height:
        return Weighed.silent(log, "no impression has a position")
    seen = shown.select(
        "user", "item", pl.col("ts"), pl.col("position").clip(0, _LAST).alias("at"), pl.col("row").alias("of")
    )
    taken = (
        rows.filter(pl.col("event") != IMPRESSION)
        .select("row", "user", "item", "ts")
        .join_asof(
            seen, on="ts", by=["user", "item"], tolerance=int(settings.minutes * 60), check_sortedness=False
        )
        .drop_nulls("at")
    )
    propensity = _propensities(
        seen["at"].to_numpy(),
        taken.unique("of")["at"].to_numpy(),
    )
    weights = np.ones(log.window.height)
    weights[taken["row"].to_numpy()] = np.minimum(1 / propensity[taken["at"].to_numpy()], settings.most)
    return Weighed(pl.Series(weights))


def _propensities(shown: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """float64[p], by position: rates over the first's, never rising, shrunk towards the rate of all."""
    views = np.bincount(shown.astype(np.int64)).astype(np.float64)
    takes = np.bincount(taken.astype(np.int64), minlength=views.size)[: views.size]
    rate = takes.sum() / views.sum()
    smoothed = (takes + _PRIOR * rate) / (views + _PRIOR)
    falling = np.minimum.accumulate(smoothed)
    first = falling[np.flatnonzero(views)[0]]
    result: np.ndarray = np.clip(falling / max(first, 1e-12), 1e-3, 1.0) if first > 0 else np.ones(views.size)
    return result


RULE = SampleRule(PositionBiasSettings, weigh)
