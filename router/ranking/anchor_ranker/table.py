"""The learned table of the scorer `anchor_ranker`: facts of the items, and the fitted weights by scene."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from recall.channel import BuildSource
from recall.item_facts import ItemFacts, item_facts
from router.ranking.anchor_ranker.fitted import FILE, FittedAnchorRankers
from router.ranking.anchor_ranker.inputs import input_names
from router.tables.kind import TableKind
from snapshot.catalogue import Catalogue
from snapshot.manifest import SnapshotError

NAME = "anchor_ranker"


class AnchorRankerTableSettings(BaseModel):
    """How the order of pages about one item is fitted, on the validation range."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_pairs: int = Field(
        default=4_000,
        ge=1,
        le=100_000,
        description="Baskets of the validation range that it learns from, at most: one item of each, and the "
        "one taken next.",
    )
    least_taken: int = Field(
        default=100,
        ge=2,
        description="Pages with the next item among their candidates below which nothing is fitted: the "
        "scorer then orders as `anchor` does with its built-in settings.",
    )
    kept_candidates: float = Field(
        default=0.25,
        gt=0,
        le=1,
        description="Part of the candidates not taken that it learns from, drawn at random; the bias is "
        "corrected for it. Memory and time of the fit grow with it.",
    )
    prior_strength: float = Field(
        default=30.0,
        gt=0,
        description="Precision of the prior around the order of `anchor`: the larger, the more baskets it "
        "takes to move the weights.",
    )
    compared_items: int = Field(
        default=60,
        ge=2,
        le=1_000,
        description="Best sold items whose pages are compared, in each draw, to find the scorer's "
        "popularity_weight where a scene names none.",
    )
    compared_draws: int = Field(
        default=12,
        ge=1,
        le=1_000,
        description="Draws of these items over which a mean counts, for pages of anonymous shoppers.",
    )
    compared_shoppers: int = Field(
        default=48,
        ge=1,
        le=1_000,
        description="Known shoppers, each with a draw of their own, over which a mean counts. Shoppers "
        "differ more than draws: by six of the sample's the weight comes out as 0.15 to 0.4, by 24 as 0.25 "
        "to 0.4. The build takes longer with more.",
    )
    compared_among: int = Field(
        default=2_000, ge=2, description="Best sold items of which those compared are drawn."
    )
    most_overlap: float = Field(
        default=0.1,
        gt=0,
        le=1,
        description="Part of a page of ten that the page about another item repeats, at most, for the "
        "smallest popularity_weight that is right.",
    )
    least_distinct: float = Field(
        default=0.7,
        ge=0,
        le=1,
        description="Part of the slots of the compared pages that different items fill, at least, for it.",
    )
    rate_prior: float = Field(
        default=10.0, gt=0, description="Shoppers' worth of the category's repeat rate mixed into an item's."
    )


@dataclass(frozen=True, slots=True)
class AnchorRankerTable:
    """Facts of the items, and what was fitted."""

    facts: ItemFacts
    fitted: FittedAnchorRankers


def build(source: BuildSource, folder: Path, settings: AnchorRankerTableSettings) -> dict[str, int]:
    """Writes the table; where nothing was fitted before, the weights of no scene.

    Returns how many entries each file holds; raises SnapshotError where what was fitted cannot be read.
    """
    made = source.fitted.get(NAME)
    fitted = FittedAnchorRankers() if made is None else FittedAnchorRankers.read(made)
    fitted.write(folder)
    return {"facts": item_facts(source, settings.rate_prior).write(folder), "scenes": len(fitted.scenes)}


def open_table(folder: Path, catalogue: Catalogue, settings: AnchorRankerTableSettings) -> AnchorRankerTable:
    """The table of the folder. Raises SnapshotError where a file is torn or does not fit."""
    fitted = FittedAnchorRankers.read(folder)
    for scene in fitted.scenes.values():
        if scene.inputs != input_names(scene.channels):
            raise SnapshotError(
                folder, FILE, "was fitted on other inputs than this program computes", "build again"
            )
    return AnchorRankerTable(ItemFacts.read(folder, catalogue.size + 1), fitted)


ANCHOR_RANKER = TableKind(NAME, AnchorRankerTableSettings, build, open_table)
