"""Orders by what a candidate is worth to the shop: a weighted mean of several objectives.

    value = Σ wᵢ · objectiveᵢ / Σ wᵢ

click is p(click) = σ(slope · x + offset) for the log-odds x that the merge `log_odds` makes of the same
columns, and slope and offset of the scorer `objectives`. purchase_given_click and price are columns of that
scorer, purchase is click · purchase_given_click, and gmv is purchase · price. Any other objective is a column
of a scorer of the scene, in 0…1. All of these lie in 0…1, and so does the value: what orders by log-odds of
the score does so by those of the value.

What the answer shows as `score` is p(click), the probability of the scene's event.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pydantic import Field, field_validator

from pipeline.candidates import Float32
from pipeline.stages import MergedScore
from router.ranking.log_odds_merge import LogOdds, LogOddsSettings, log_odds_of
from router.ranking.log_odds_merge import create as create_log_odds
from router.ranking.log_odds_merge import fitted as fitted_log_odds
from router.ranking.log_odds_merge import mentioned as mentioned_by_log_odds
from router.ranking.logistic.scorer import probability
from router.ranking.merge_kind import MergeKind
from router.ranking.objectives.fitted import CLICK, PRICE, PURCHASE_GIVEN_CLICK
from router.ranking.objectives.scorer import CLICK_OFFSET, CLICK_SLOPE, COLUMNS

PURCHASE, GMV = "purchase", "gmv"
_MOST_WEIGHT = 1_000_000.0
OBJECTIVES = (CLICK, PURCHASE_GIVEN_CLICK, PURCHASE, PRICE, GMV)


class ValueSettings(LogOddsSettings):
    """Orders by a weighted mean of several objectives: what a candidate is worth to the shop."""

    objectives: str = Field(
        default="objectives", min_length=1, description="Name in the scene of the scorer objectives."
    )
    weights: dict[str, float] = Field(
        default={CLICK: 1.0},
        min_length=1,
        max_length=16,
        description="Weight of each objective, 0 to 1,000,000: click, purchase_given_click, purchase, price, "
        'gmv; or "<scorer>.<column>", a column in 0…1 such as a predicted satisfaction. A column whose '
        "scorer failed is left out.",
    )

    @field_validator("weights")
    @classmethod
    def _weighs_something(cls, weights: dict[str, float]) -> dict[str, float]:
        for name, weight in weights.items():
            if name not in OBJECTIVES and "." not in name:
                raise ValueError(
                    f"{name} is no objective; there are {', '.join(OBJECTIVES)} and <scorer>.<column>"
                )
            if not 0 <= weight <= _MOST_WEIGHT:
                raise ValueError(f"the weight of {name} must be from 0 to {_MOST_WEIGHT:,.0f}, got {weight}")
        if not any(weights.values()):
            raise ValueError("at least one weight must be above 0")
        return weights


@dataclass(frozen=True, slots=True)
class Value:
    """The weighted mean of the objectives that are there.

    own         makes the scene's own score
    objectives  name of the scorer `objectives`
    weights     by objective
    """

    own: LogOdds
    objectives: str
    weights: Mapping[str, float]
    name: str = "value"

    def merge(self, columns: Mapping[str, Float32]) -> MergedScore | None:
        """Values float32[n] in 0…1, p(click) as the probability; a NaN of the model stays one.

        The scene's own score where no column of a weighted objective is there; None where there is no own.
        """
        own = self.own.merge(columns)
        if own is None:
            return None
        found = self.objectives_of(own.values if own.probability is None else own.probability, columns)
        there = {name: weight for name, weight in self.weights.items() if weight and name in found}
        if not there:
            return own
        whole = sum(there.values())
        value = np.sum([np.float32(weight / whole) * found[name] for name, weight in there.items()], axis=0)
        # Of a candidate that the model gave no score nothing is known.
        value[np.isnan(own.values)] = np.nan
        return MergedScore(value, own.column, found.get(CLICK, own.probability))

    def objectives_of(self, own: Float32, columns: Mapping[str, Float32]) -> dict[str, Float32]:
        """Objective → float32[n], of those that follow from the scene's own score and the columns."""
        here = {name: columns.get(f"{self.objectives}.{name}") for name in COLUMNS}
        found = {name: columns[name] for name in self.weights if name in columns}
        slope, offset, after, price = (here[name] for name in COLUMNS)
        if slope is None or offset is None or after is None or price is None:
            return found
        click = probability(slope * log_odds_of(own) + offset)
        purchase = click * after
        return found | {
            CLICK: click,
            PURCHASE_GIVEN_CLICK: after,
            PURCHASE: purchase,
            PRICE: price,
            GMV: purchase * price,
        }


def create(settings: ValueSettings) -> Value:
    """The merge with the settings' weights."""
    return Value(create_log_odds(settings), settings.objectives, settings.weights)


def mentioned(settings: ValueSettings) -> tuple[str, ...]:
    """The columns that it reads."""
    return (
        *mentioned_by_log_odds(settings),
        *(f"{settings.objectives}.{column}" for column in (CLICK_SLOPE, CLICK_OFFSET)),
        *(name for name in settings.weights if name not in OBJECTIVES),
    )


def fitted(merge: Value, tables: Mapping[str, Any]) -> Value:
    """The merge over the scene's own score as the snapshot's last layer calibrates it."""
    return replace(merge, own=fitted_log_odds(merge.own, tables))


MERGE = MergeKind(ValueSettings, create, mentioned, fitted)
