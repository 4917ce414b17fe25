"""By what candidates form groups: item columns, standard categories, what caused the recall, the product."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import AfterValidator

from pipeline.candidates import Candidates, Int32
from recall.standard_categories import LEVELS
from router.tables.component import Parts
from router.tables.kind import TableKind
from router.tables.standard_categories import STANDARD_CATEGORIES
from snapshot.catalogue import Catalogue
from snapshot.item_columns import ITEM_COLUMNS

STANDARD = {f"standard_{level}": level for level in LEVELS}
"""Dimension → level of the table of standard categories."""
TRIGGER, PRODUCT = "trigger", "product"


def _forms_groups(by: str) -> str:
    dimensions = [name for name, column in ITEM_COLUMNS.items() if column.is_grouping]
    dimensions += [*STANDARD, TRIGGER, PRODUCT]
    if by not in dimensions:
        raise ValueError(f"must be a dimension that forms groups: {', '.join(dimensions)}; got {by!r}")
    return by


Dimension = Annotated[str, AfterValidator(_forms_groups)]
"""An item column that forms groups; standard_fine or standard_coarse (`recall.standard_categories`); trigger:
the item that caused the recall; product: items of the same title and brand."""


def tables_for(dimensions: Iterable[str]) -> tuple[TableKind, ...]:
    """The learned tables that these dimensions are read from."""
    return (STANDARD_CATEGORIES,) if any(name in STANDARD for name in dimensions) else ()


class GroupsOf:
    """Gives candidates' groups by several dimensions."""

    def __init__(self, parts: Parts, dimensions: Sequence[str]) -> None:
        """`parts` hold the tables of `tables_for(dimensions)`."""
        self._catalogue: Catalogue = parts.catalogue
        self._dimensions = tuple(dimensions)
        self._columns: dict[str, npt.NDArray[np.int32]] = {
            name: parts.tables[STANDARD_CATEGORIES.name].level(STANDARD[name])
            if name in STANDARD
            else parts.catalogue.column(name)
            for name in dimensions
            if name not in (TRIGGER, PRODUCT)
        }
        self._products_known: dict[tuple[str, int], int] = {}
        self._product_of = np.full(parts.catalogue.brand.size if PRODUCT in dimensions else 0, -1, np.int32)

    def __call__(self, scenes: Sequence[Candidates]) -> list[list[Int32]]:
        """Per scene, int32[n] per dimension, 0 = in no group; a group has one code in all scenes."""
        return [[self._groups(name, candidates) for name in self._dimensions] for candidates in scenes]

    def of_items(self, dimension: str, items: Int32) -> Int32:
        """int32[n], groups of items by a dimension other than `trigger`, which items alone do not have."""
        if dimension == PRODUCT:
            return self._products(items)
        return self._columns[dimension][items]

    def _groups(self, name: str, candidates: Candidates) -> Int32:
        return candidates.trigger if name == TRIGGER else self.of_items(name, candidates.items)

    def _products(self, items: Int32) -> Int32:
        """The products of items, whose titles are read once; at most as many are kept as there are items."""
        unread = items[self._product_of[items] < 0]
        titles, brands = self._catalogue.titles(unread), self._catalogue.brand[unread].tolist()
        for item, title, brand in zip(unread.tolist(), titles, brands, strict=True):
            words = " ".join(title.casefold().split())
            known = self._products_known
            self._product_of[item] = known.setdefault((words, brand), len(known) + 1) if words else 0
        return self._product_of[items]
