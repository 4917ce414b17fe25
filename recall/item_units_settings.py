"""Settings of item_units, shared by its offline and its online side."""

from __future__ import annotations

from pydantic import Field

from recall.item_vector_settings import ItemVectorSettings
from recall.titles.settings import TitleTaggerSettings


class ItemUnitsSettings(ItemVectorSettings):
    """Neighbours by vectors of what items are alone, for goods that are gone before many took them."""

    selling_points: int = Field(
        default=4, ge=0, le=32, description="Selling points of a title that have vectors; 0 = none are read."
    )
    point_items: int = Field(
        default=10,
        ge=1,
        description="Items whose titles have a selling point at least, for it to have a vector.",
    )
    point_lift: float = Field(
        default=5.0,
        gt=0,
        description="Times as often as by chance the words of a selling point are side by side at least; not "
        "used where the shop tagged titles.",
    )
    tagger: TitleTaggerSettings = Field(
        default=TitleTaggerSettings(),
        description="The tagger that finds selling points where the shop brings tagged titles.",
    )
    window: int = Field(
        default=5, ge=1, le=49, description="Places between two items of a session that are a pair, at most."
    )
    popular_threshold: float = Field(
        default=0.001,
        ge=0,
        le=1,
        description="t in the chance 1 − √(t / f) by which an occurrence of an item of share f is not "
        "trained on; 0 = all are.",
    )
