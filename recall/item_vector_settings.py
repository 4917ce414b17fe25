"""Settings of channels that train item vectors by pairs of items and keep the neighbours of each."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from recall.channel import OptionalChannelSettings
from recall.evidence import EvidenceSettings
from recall.vector_index import VectorIndexSettings
from recall.visit_settings import VisitSettings
from snapshot.item_columns import ITEM_COLUMNS


def _grouping(names: list[str]) -> list[str]:
    known = [name for name, column in ITEM_COLUMNS.items() if column.is_grouping]
    wrong = [name for name in names if name not in known]
    if wrong:
        raise ValueError(f"must be item columns of groups or bands: {', '.join(known)}; got {wrong[0]!r}")
    return names


class ItemVectorSettings(EvidenceSettings, VisitSettings, OptionalChannelSettings, VectorIndexSettings):
    """Base of those: what is known of items, how pairs teach vectors, and which neighbours are kept."""

    side_information: Annotated[list[str], AfterValidator(_grouping)] = Field(
        default=["category", "standard_category", "brand", "shop", "price_band"],
        description="Item columns of groups whose values have vectors too; an item without a value does "
        "without it.",
    )
    words: int = Field(
        default=8,
        ge=0,
        le=64,
        description="First words of a title whose vectors are one more part of an item; 0 = titles are not "
        "read.",
    )
    tags: int = Field(
        default=8,
        ge=0,
        le=64,
        description="First tags of an item (the column tags) that count beside these words; 0 = tags are not "
        "read.",
    )
    word_items: int = Field(
        default=5, ge=1, description="Items whose titles or tags have a word at least, for it to count."
    )
    max_pairs: int = Field(
        default=8_000_000, ge=1_000, description="Pairs trained on; of more, so many are drawn."
    )
    dimensions: int = Field(default=48, ge=2, le=1_024, description="Length of the vectors.")
    negatives: int = Field(
        default=5, ge=1, le=100, description="Weight of what is drawn, against one pair, in pairs."
    )
    negative_exponent: float = Field(
        default=0.75,
        ge=0,
        le=1,
        description="Power of an item's pairs in the chance to be drawn as negative.",
    )
    batch: int = Field(default=8_192, ge=16, description="Pairs of one step.")
    learning_rate: float = Field(default=0.1, gt=0, description="Of Adagrad.")
    neighbours: int = Field(default=100, ge=1, le=10_000, description="Items kept per item.")
    popularity_exponent: float = Field(
        default=0.5,
        ge=0,
        le=2,
        description="Power of an item's sessions with which its likeness to others is multiplied; 0 = not.",
    )
    build_threads: int = Field(default=1, ge=1, description="Threads of torch and faiss while it is built.")
