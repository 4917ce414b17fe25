"""Hot items that share attributes with what the shopper took lately: brand and category, or the brand alone.

score(i) = Σ over the combinations a of columns  W_a(v) · heat(i) / Σ_v heat · (heat(i) / max heat)^γ

v are i's values of the columns of a, W_a(v) is the weight of the query's triggers that have the same ones. So
each combination is what `category_hot` is for the category, and an item that shares several has the sum. heat
is the decayed behaviour score over all shoppers. An item that lacks a value takes part in the combinations
that do not need it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from pipeline.stages import EMPTY_RECALL
from recall.channel import (
    BuildSource,
    ChannelKind,
    NothingToRecall,
    OptionalChannelSettings,
    Recalled,
    Services,
)
from recall.lists import ItemLists
from recall.merge import merge_by_item
from recall.query import Query
from snapshot.catalogue import Catalogue
from snapshot.columns import load_column, save_column
from snapshot.item_columns import ITEM_COLUMNS

NAME = "attributes"
Combination = list[str]


def _combinations(combinations: list[Combination]) -> list[Combination]:
    known = [name for name, column in ITEM_COLUMNS.items() if column.is_grouping]
    for combination in combinations:
        wrong = [name for name in combination if name not in known]
        if wrong:
            raise ValueError(
                f"must be lists of item columns of groups or bands: {', '.join(known)}; got {wrong[0]!r}"
            )
        if not combination or len(set(combination)) < len(combination):
            raise ValueError(f"must be lists of different item columns, one at least; got {combination}")
    return combinations


class AttributesSettings(OptionalChannelSettings):
    """Hottest items that share attributes with what the shopper took lately."""

    combinations: Annotated[list[Combination], AfterValidator(_combinations)] = Field(
        default=[["category", "brand"], ["brand"]],
        min_length=1,
        max_length=8,
        description="Item columns of groups whose values are shared together, one list for each combination.",
    )
    half_life_days: float = Field(default=30.0, gt=0, description="Days after which a behaviour counts half.")
    items_per_group: int = Field(
        default=200, ge=1, le=10_000, description="Items kept of each combination's values."
    )
    groups: int = Field(
        default=50, ge=1, description="The shopper's strongest values of each combination that are used."
    )
    popularity_exponent: float = Field(
        default=1.0, ge=0, le=2, description="Power of an item's heat in the whole shop; 0 ignores it."
    )


class Attributes:
    """Weighs the values of each combination by the query's triggers and sums their lists."""

    name = NAME

    def __init__(
        self, groups: Sequence[NDArray[np.int32]], lists: Sequence[ItemLists], settings: AttributesSettings
    ) -> None:
        """Of each combination: every item's group int32[N + 1], 0 = none; the groups' lists, row 0 empty."""
        self._groups = groups
        self._lists = lists
        self._settings = settings

    async def recall(self, query: Query, k: int) -> Recalled:
        """The k best; each names the trigger from which most of its score comes. Empty without triggers."""
        if not query.triggers.size:
            return EMPTY_RECALL
        order = np.argsort(-query.trigger_weights, kind="stable")
        triggers, weights = query.triggers[order], query.trigger_weights[order]
        items, scores, causes = [], [], []
        for of_item, lists in zip(self._groups, self._lists, strict=True):
            groups, heaviest, member = np.unique(of_item[triggers], return_index=True, return_inverse=True)
            weight = np.bincount(member, weights=weights)
            strongest = np.argsort(-weight, kind="stable")[: self._settings.groups]
            found, shares, source = lists.gather(groups[strongest], limit=k)
            row = strongest[source]
            items.append(found)
            scores.append((weight[row] * shares).astype(np.float32))
            causes.append(triggers[heaviest[row]])
        return merge_by_item(np.concatenate(items), np.concatenate(scores), np.concatenate(causes), k, "sum")


def group_codes(catalogue: Catalogue, columns: Combination) -> NDArray[np.int32]:
    """int32[N + 1]: 1, 2, … for each combination of known values, in their order; 0 = a value is unknown."""
    values = np.stack([catalogue.column(name) for name in columns], axis=1)
    (known,) = np.nonzero(np.all(values > 0, axis=1))
    codes = np.zeros(catalogue.size + 1, np.int32)
    if known.size:
        codes[known] = np.unique(values[known], axis=0, return_inverse=True)[1].ravel() + 1
    return codes


def build(source: BuildSource, folder: Path, settings: AttributesSettings) -> dict[str, int]:
    """Write each combination's groups and lists into `folder`; returns how many entries they hold.

    Raises NothingToRecall where no item that anybody took has the values of a combination.
    """
    from recall.interactions import interactions_of
    from recall.lists import ranked_lists

    catalogue = source.catalogue
    heat = interactions_of(source).heat(source.now, settings.half_life_days, catalogue.size + 1)
    hotness = (heat / max(heat.max(), np.finfo(np.float32).tiny)) ** settings.popularity_exponent
    entries = 0
    for place, columns in enumerate(settings.combinations):
        group = group_codes(catalogue, columns)
        listed = np.flatnonzero((heat > 0) & catalogue.in_stock & (group > 0))
        own = group[listed]
        count = int(group.max()) + 1
        share = heat[listed] / np.bincount(own, weights=heat[listed], minlength=count)[own]
        lists = ranked_lists(own, listed, share * hotness[listed], count, settings.items_per_group)
        save_column(folder, f"group_{place}", group)
        entries += lists.write(folder, f"lists_{place}")
    if not entries:
        raise NothingToRecall(
            "no item that anybody took has values of "
            + " or of ".join(" and ".join(columns) for columns in settings.combinations)
        )
    return {"items": entries}


def open_channel(
    folder: Path, catalogue: Catalogue, services: Services, settings: AttributesSettings
) -> Attributes:
    """Memory-map what `build` wrote. Raises SnapshotError where it is torn or does not fit."""
    groups, lists = [], []
    for place in range(len(settings.combinations)):
        group = load_column(folder, f"group_{place}", np.dtype(np.int32), catalogue.size + 1)
        groups.append(group)
        lists.append(ItemLists.open(folder, f"lists_{place}", int(group.max()) + 1))
    return Attributes(groups, lists, settings)


CHANNEL = ChannelKind(settings=AttributesSettings, build=build, open=open_channel, waits=False)
