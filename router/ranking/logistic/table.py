"""The learned table of the scorer `logistic`: facts of the items, and the fitted weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

from recall.channel import BuildSource
from recall.item_facts import ItemFacts, item_facts
from router.ranking.logistic.inputs import input_names
from router.ranking.logistic.last_layer import LastLayer
from router.ranking.logistic.weights import FILE, Weights, default_weights
from router.tables.kind import TableKind
from snapshot.catalogue import Catalogue
from snapshot.manifest import SnapshotError

NAME = "logistic_ranker"


class NetworkSettings(BaseModel):
    """How the networks that add to the regressions are trained."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    each_third: int = Field(
        default=2,
        ge=0,
        le=8,
        description="Networks learned without each third of the shoppers; of their mean scores of this third "
        "share and calibration are found. 0: there are none.",
    )
    hidden: tuple[int, ...] = Field(default=(32, 16), description="Units of the layers between.")
    steps: int = Field(default=4_000, ge=1, le=1_000_000, description="Batches that each learns from.")
    batch: int = Field(default=256, ge=1, le=65_536, description="Candidates in a batch.")
    learning_rate: float = Field(default=3e-3, gt=0, le=1, description="AdamW's; rises and falls in a cycle.")
    weight_decay: float = Field(default=0.01, ge=0, le=10, description="AdamW's, of weights.")
    dropout: float = Field(
        default=0.1, ge=0, lt=1, description="Part of the hidden units left out in training."
    )
    not_taken: float = Field(
        default=0.25,
        gt=0,
        le=1,
        description="Part of the candidates that were not taken which they learn from, weighed accordingly.",
    )
    least_taken: int = Field(
        default=1_000, ge=1, description="With fewer takes there are none: a regression needs less."
    )

    @field_validator("hidden")
    @classmethod
    def _some_units(cls, hidden: tuple[int, ...]) -> tuple[int, ...]:
        if not 1 <= len(hidden) <= 4 or not all(1 <= units <= 1_024 for units in hidden):
            raise ValueError("names 1 to 4 layers of 1 to 1024 units")
        return hidden


class LogisticRankerSettings(BaseModel):
    """How the weights of the last layer are fitted, on the validation range."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_shoppers: int = Field(
        default=2_500, ge=1, le=50_000, description="Shoppers whose candidates it learns from, at most."
    )
    window_days: float = Field(
        default=14.0,
        gt=0,
        description="A score is the probability that the shopper takes the item within so many days; where "
        "the validation range is shorter, within its length.",
    )
    level_windows: int = Field(
        default=4,
        ge=1,
        le=52,
        description="Windows of window_days, the one fitted on and those before it, whose mean is the level "
        "of the probabilities: how much a shopper takes again, and newly. 1: that of the fitted one.",
    )
    shift_takes: int = Field(
        default=800,
        ge=1,
        description="Takes among the candidates of the scene fitted on, of whose shoppers the candidates of "
        "every other scene that shows these probabilities are found too, to calibrate its scores.",
    )
    cross_fitted_below: int = Field(
        default=5_000,
        ge=0,
        description="With fewer takes the calibration is fitted on scores of shoppers that the weights were "
        "not fitted on; with more, both would be the same, and the build is quicker without.",
    )
    newcomers: float = Field(
        default=0.25,
        ge=0,
        le=1,
        description="Part of the shoppers, 0 to 1, who also enter as newcomers: known by nothing, or by "
        "their newest behaviours. 0: the weights know no newcomers.",
    )
    newcomer_longest: int = Field(
        default=64,
        ge=0,
        le=199,
        description="Behaviours that such a newcomer has at most, and after which a shopper on a first visit "
        "is asked at most; 0: these are asked before it.",
    )
    newcomer_events: float = Field(
        default=30.0, gt=0, description="Behaviours with which a shopper counts by half as a newcomer."
    )
    prior_strength: float = Field(
        default=30.0,
        gt=0,
        description="Precision of the prior around the default weights: the larger, the more data it takes "
        "to move them.",
    )
    networks: NetworkSettings = Field(
        default=NetworkSettings(), description="Small networks that add what a weighted sum cannot say."
    )
    rate_prior: float = Field(
        default=10.0, gt=0, description="Shoppers' worth of the category's repeat rate mixed into an item's."
    )


@dataclass(frozen=True, slots=True)
class LogisticTable:
    """Facts and weights, and the weights as arrays."""

    facts: ItemFacts
    learned: Weights
    layer: LastLayer

    @classmethod
    def of(cls, facts: ItemFacts, learned: Weights) -> LogisticTable:
        """The table of these parts."""
        return cls(facts, learned, LastLayer.of(learned))


def build(source: BuildSource, folder: Path, settings: LogisticRankerSettings) -> dict[str, int]:
    """Writes the table: facts counted from the source, weights fitted before, or default ones.

    Returns how many entries each file holds; raises SnapshotError where fitted weights cannot be read.
    """
    fitted = source.fitted.get(NAME)
    learned = default_weights((), input_names(())) if fitted is None else Weights.read(fitted)
    learned.write(folder)
    return {"facts": item_facts(source, settings.rate_prior).write(folder), "weights": len(learned.inputs)}


def open_table(folder: Path, catalogue: Catalogue, settings: LogisticRankerSettings) -> LogisticTable:
    """The table of the folder. Raises SnapshotError where a file is torn or does not fit."""
    learned = Weights.read(folder)
    if learned.inputs != input_names(learned.channels):
        raise SnapshotError(
            folder, FILE, "was fitted on other inputs than this program computes", "build again"
        )
    return LogisticTable.of(ItemFacts.read(folder, catalogue.size + 1), learned)


LOGISTIC_RANKER = TableKind(NAME, LogisticRankerSettings, build, open_table)
