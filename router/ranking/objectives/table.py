"""The learned table of the scorer `objectives`: facts of the items, and what was fitted by scene."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from recall.channel import BuildSource
from recall.item_facts import ItemFacts, item_facts
from router.ranking.logistic.inputs import input_names
from router.ranking.objectives.fitted import FILE, FittedObjectives
from router.tables.kind import TableKind
from snapshot.catalogue import Catalogue
from snapshot.manifest import SnapshotError

NAME = "objectives"


class ObjectivesTableSettings(BaseModel):
    """How the objectives of scenes with the merge `value` are fitted, on the validation range.

    Shoppers, the window and the facts of items are those of `router.tables.logistic_ranker`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    least_outcomes: int = Field(
        default=30,
        ge=2,
        description="Candidates with, and candidates without the outcome, below which an objective is "
        "switched off.",
    )
    prior_strength: float = Field(
        default=30.0,
        gt=0,
        description="Precision of the prior of p(purchase | click), by scaled input, around its mean rate.",
    )
    rate_prior: float = Field(
        default=10.0, gt=0, description="Shoppers' worth of the category's repeat rate mixed into an item's."
    )


@dataclass(frozen=True, slots=True)
class ObjectivesTable:
    """Facts of the items, and what was fitted."""

    facts: ItemFacts
    fitted: FittedObjectives


def build(source: BuildSource, folder: Path, settings: ObjectivesTableSettings) -> dict[str, int]:
    """Writes the table; where nothing was fitted before, the objectives of no scene.

    Returns how many entries each file holds; raises SnapshotError where what was fitted cannot be read.
    """
    made = source.fitted.get(NAME)
    fitted = FittedObjectives() if made is None else FittedObjectives.read(made)
    fitted.write(folder)
    return {"facts": item_facts(source, settings.rate_prior).write(folder), "scenes": len(fitted.scenes)}


def open_table(folder: Path, catalogue: Catalogue, settings: ObjectivesTableSettings) -> ObjectivesTable:
    """The table of the folder. Raises SnapshotError where a file is torn or does not fit."""
    fitted = FittedObjectives.read(folder)
    for scene in fitted.scenes.values():
        if scene.inputs and scene.inputs != input_names(scene.channels):
            raise SnapshotError(
                folder, FILE, "was fitted on other inputs than this program computes", "build again"
            )
    return ObjectivesTable(ItemFacts.read(folder, catalogue.size + 1), fitted)


OBJECTIVES = TableKind(NAME, ObjectivesTableSettings, build, open_table)
